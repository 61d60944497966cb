# What scripts/demo, scripts/test, scripts/services and .ci/run share. Sourced by bash, never run.
# Needs `here`, the folder of the script that sources it. Sets `project` and `venv`.

project=$(cd -P -- "$here/.." && pwd)
venv=$project/.venv
unset PYTHONDONTWRITEBYTECODE # our code is compiled once, not anew by each process that is started

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename -- "$0"): $*"; exit 3; } # 3: this machine's fault, not the project's

# Runs a command as root, without asking for a password. Fails where that is not allowed.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
  else return 1; fi
}

# install_packages WHAT-FOR PACKAGE…: Debian packages by apt where it may be used; else says what to install.
install_packages() {
  local purpose=$1; shift
  if command -v apt-get >/dev/null && as_root true; then
    say "Installing $* ($purpose) …"
    local log; log=$(mktemp)
    if { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update &&
         as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
           -o DPkg::Lock::Timeout=300 install "$@"; } >"$log" 2>&1 </dev/null; then
      rm -f "$log"; return 0
    fi
    tail -n 20 "$log" >&2; rm -f "$log"
    say "apt-get could not install: $*"; return 1
  fi
  say "Missing: $* ($purpose), and this account may not install it. Ask for, on Debian or Ubuntu:"
  say "    sudo apt-get update && sudo apt-get install $*"
  return 1
}

# Prints the first Python that is new enough and runs.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python3.14; do
    [ -n "$candidate" ] || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { command -v -- "$candidate"; return 0; }
  done
  return 1
}

# What the environment depends on; a change of any of it installs again.
fingerprint() { { printf '%s\n%s\n' "$project" "$1"; cat -- "$project/pyproject.toml" "$project/constraints.txt"; } | cksum; }
is_ready() { [ -x "$venv/bin/python" ] && [ "$(cat -- "$venv/holdfast-$1" 2>/dev/null)" = "$(fingerprint "$1")" ]; }

# prepare_environment demo|test: makes .venv from constraints.txt, and sees to the libraries that it loads.
# Nothing is done when nothing changed; two at once wait for each other.
prepare_environment() {
  local extra=$1 python began=$SECONDS
  if is_ready test || is_ready "$extra"; then prepare_libraries; return; fi
  exec 9<"$project"
  command -v flock >/dev/null && flock 9
  if ! is_ready "$extra"; then
    python=$(find_python) || die "Python 3.11 or newer was not found. On Debian or Ubuntu: sudo apt-get install python3 python3-venv"
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
      # Named with its version: python3-venv is that of the distribution's first Python, which may be an older one.
      install_packages "makes the virtual environment" "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" || exit 3
    fi
    say "Setting up .venv from pinned versions: about two minutes and $([ "$extra" = demo ] && echo 450 || echo 780) MB, once …"
    # A folder that was moved has scripts that point to its old place: such an environment is made anew.
    "$venv/bin/python" -c 'import sys; sys.exit(sys.prefix != sys.argv[1])' "$venv" >/dev/null 2>&1 && [ -x "$venv/bin/holdfast" ] &&
      head -n 3 -- "$venv/bin/holdfast" | grep -qF -- "$venv/bin/python" || "$python" -m venv --clear "$venv"
    install_pinned "$extra"
    fingerprint "$extra" >"$venv/holdfast-$extra"
    say "… done in $((SECONDS - began)) s."
  fi
  exec 9<&-
  prepare_libraries
}

install_pinned() {
  local pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet install -c constraints.txt)
  ( # The pip that Python 3.11 brings takes twice the processor time; either would compile on one core.
    cd -- "$project"
    export PIP_BUILD_CONSTRAINT=constraints.txt # what builds our own package is pinned, too
    export PYTHONWARNINGS=ignore                # setuptools warns of every editable installation, in twelve lines
    "${pip[@]}" --upgrade pip || say "Going on with the pip that Python brings: it takes longer."
    "${pip[@]}" --no-compile -e ".[$1]"
  ) </dev/null || die "pip could not install the pinned versions (see above); running this again goes on from here"
  "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null || true # some libraries carry templates that are no Python yet
}

# The one shared library that no wheel carries.
prepare_libraries() {
  "$venv/bin/python" -c 'import magic; magic.from_buffer(b"x")' >/dev/null 2>&1 && return
  install_packages "libmagic, names file types that PRONOM has no MIME type for" libmagic1 || exit 3
  "$venv/bin/python" -c 'import magic; magic.from_buffer(b"x")' || die "libmagic is installed but does not load"
}

# Where built tools are kept: outside the checkout, so that only the first run builds them.
tool_cache() {
  if [ -n "${HOLDFAST_CI_CACHE:-}" ]; then printf '%s\n' "$HOLDFAST_CI_CACHE"
  elif [ "$(id -u)" -eq 0 ]; then printf '%s\n' /var/cache/holdfast-ci
  else printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/holdfast-ci"; fi
}

# install_java_tools FOLDER: fetches what scripts/java-tools.xml names into FOLDER, unless it is there.
install_java_tools() {
  local into=$1 wanted; wanted=$(cksum <"$project/scripts/java-tools.xml")
  if [ "$(cat -- "$into/.installed" 2>/dev/null)" = "$wanted" ]; then return; fi
  command -v mvn >/dev/null || { say "Maven is missing: sudo apt-get install default-jre-headless maven"; return 1; }
  local building=$into.building log=$into.log
  say "Fetching veraPDF and JHOVE (log: $log) …"
  rm -rf -- "$building" && mkdir -p -- "$building" "$into"
  mvn --batch-mode --strict-checksums --no-transfer-progress -Dmaven.repo.local="$building/m2" -Dinto="$building/tools" \
    -f "$project/scripts/java-tools.xml" dependency:copy >"$log" 2>&1 </dev/null || { tail -n 20 -- "$log" >&2; return 1; }
  rm -rf -- "$into/jhove" "$into/verapdf"
  mv -- "$building/tools/"* "$into/" && rm -rf -- "$building" && printf '%s\n' "$wanted" >"$into/.installed"
}

# Builds the S3 server that tests use, from its source by Go's own means, unless it is there.
versitygw_version=1.8.0
build_versitygw() {
  local cache target; cache=$(tool_cache); target=$cache/versitygw-$versitygw_version
  if command -v versitygw >/dev/null || [ -x "$target/versitygw" ]; then return; fi
  command -v go >/dev/null || { say "Go is missing: sudo apt-get install golang"; return 1; }
  # With an empty HOME, or none, Go would not know where to keep what it downloads.
  local account go=go; account=$(getent passwd "$(id -u)" | cut -d: -f6)
  say "Building versitygw $versitygw_version (log: $cache/versitygw.log) …"
  mkdir -p -- "$cache"
  (
    export HOME=${HOME:-$account} GOPATH=${GOPATH:-$cache/go} GOCACHE=${GOCACHE:-$cache/go/build}
    export GOBIN=$target.building GOFLAGS="-buildvcs=false -modcacherw"
    # It needs Go 1.25. Go from 1.21 on fetches a newer one by itself; to an older one (Debian 12's) it is a module.
    if ! go version | grep -qE 'go1\.(2[1-9]|[3-9][0-9])'; then
      local toolchain=golang.org/toolchain@v0.0.1-go1.25.0.linux-$(go env GOARCH)
      go mod download "$toolchain"
      chmod -R u+x -- "$GOPATH/pkg/mod/$toolchain/bin" "$GOPATH/pkg/mod/$toolchain/pkg/tool"
      go=$GOPATH/pkg/mod/$toolchain/bin/go; unset GOROOT
    fi
    GOTOOLCHAIN=${GOTOOLCHAIN:-auto} "$go" install -ldflags=-s "github.com/versity/versitygw/cmd/versitygw@v$versitygw_version"
  ) >"$cache/versitygw.log" 2>&1 </dev/null && mv -T -- "$target.building" "$target" && rm -rf -- "$cache/go"
}

# Prints a Java and the OpenSearch that it can run, the newest of both: PATH's may be older than another that is there.
find_java_for_opensearch() {
  local java feature best=0 found=
  for java in "${JAVA_HOME:-}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
    [ -x "$java" ] || continue
    feature=$("$java" -XshowSettings:properties -version 2>&1 | sed -n 's/.*java\.specification\.version = \([0-9]*\).*/\1/p')
    if [ "${feature:-0}" -gt "$best" ]; then best=$feature found=$java; fi
  done
  if [ "$best" -ge 21 ]; then printf '%s 3.8.0.0\n' "$found"
  elif [ "$best" -ge 17 ]; then printf '%s 2.19.1.0\n' "$found"
  else say "Java 17 or newer is missing: sudo apt-get install default-jre-headless"; return 1; fi
}

# Fetches the search server that tests use (scripts/opensearch.xml), unless it is there. Prints its folder.
fetch_opensearch() {
  local version target log; version=$(find_java_for_opensearch) || return 1
  version=${version##* }; target=$(tool_cache)/opensearch-$version log=$(tool_cache)/opensearch.log
  if [ ! -d "$target" ]; then
    command -v mvn >/dev/null || { say "Maven is missing: sudo apt-get install maven"; return 1; }
    say "Fetching OpenSearch ${version%.0} (log: $log) …"
    rm -rf -- "$target.building" && mkdir -p -- "$target.building"
    mvn --batch-mode --strict-checksums --no-transfer-progress -Dmaven.repo.local="$target.building/m2" -Drunner="$version" \
      -DoutputDirectory="$target.building/lib" -f "$project/scripts/opensearch.xml" dependency:copy-dependencies >"$log" 2>&1 </dev/null ||
      { tail -n 20 -- "$log" >&2; return 1; }
    mv -T -- "$target.building/lib" "$target" && rm -rf -- "$target.building"
  fi
  printf '%s\n' "$target"
}
