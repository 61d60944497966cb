#!/bin/sh
# Plays JHOVE: what it does with a file is written in the file. It says everything at its end, as a tool that buffers.
while [ $# -gt 0 ]; do
  case $1 in
    -v) echo "Jhove (Rel. 9.9.9, 2026-01-01)"; exit ;;
    -o) report=$2; shift 2 ;;
    -c | -m | -h) shift 2 ;;
    *) break ;;
  esac
done
said='<jhove xmlns="http://schema.openpreservation.org/ois/xml/ns/jhove">'
for file; do
  case $(head -c 20 "$file") in
    crash) kill -s SEGV $$ ;;
    hang) sleep 600 & wait ;;
    garbage) printf '<<<& no XML \377' >"$report"; exit 0 ;;
    flood) exec yes "<a/>" >"$report" ;;
    mute) continue ;;
    telltale) touch "${0%/*}/told" ../../escaped; state='Not well-formed' ;;
    bad) state='Not well-formed' ;;
    *) state='Well-Formed and valid' ;;
  esac
  said="$said<repInfo uri='$file'><reportingModule release='1.0'>JPEG-hul</reportingModule><status>$state</status><messages><message id='X-1' offset='7' severity='error'>It is bad</message><message severity='info'>Nice</message></messages></repInfo>"
done
printf '%s</jhove>' "$said" >"$report"
