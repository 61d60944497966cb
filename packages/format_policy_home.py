"""The home's own format policy: merged into ours rule by rule, with every fault named.

Apart from `packages.format_policy`, since the validator takes a tenth of a second to load.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

import schemas
from packages.format_policy import Kind, parts_of

Recipes = Callable[[str], Mapping[str, Mapping[str, Any]] | None]
"""Returns for a tool the JSON Schema of the arguments of each recipe; None for an unknown tool."""

NAME = "format-policy.json"


def merged(ours: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy that holds where the home has rules of its `own`; both keep to their schema.

    A rule with the name of one of ours changes the fields that it gives (null takes one away); others are
    added. A format that a rule of the home names belongs to that rule alone.
    """
    given = {rule["name"]: rule for rule in own["rules"]}
    taken = {puid for rule in own["rules"] for puid in rule.get("puids", ())}
    rules = []
    for rule in ours["rules"]:
        changed = {**rule, **given.pop(rule["name"], {})}
        if "puids" not in (own_rule := _named(own, rule["name"])):
            changed["puids"] = [puid for puid in rule["puids"] if puid not in taken]
        else:
            changed["puids"] = own_rule["puids"]
        rules.append(changed)
    rules += given.values()
    return {
        "about": ours.get("about", ""),
        "version": own.get("version") or ours["version"],
        "limits": {**ours["limits"], **own.get("limits", {})},
        "rules": [{key: value for key, value in rule.items() if value is not None} for rule in rules],
    }


def _named(own: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next((rule for rule in own["rules"] if rule["name"] == name), {})
    return found


def faults_of(text: bytes, ours: Mapping[str, Any], recipes: Recipes) -> list[str]:
    """Return all that is wrong with the home's own policy, each with its place; empty where nothing is."""
    try:
        own = json.loads(text)
    except (ValueError, RecursionError) as error:
        return [f"it is not JSON: {error}"]
    wrong = list(_of_shape(own, "#/$defs/override"))
    rules = _sound(own) if wrong else own["rules"]
    names = [rule["name"] for rule in rules]
    wrong += [f"there are two rules “{name}”" for name in sorted({n for n in names if names.count(n) > 1})]
    known = {rule["name"] for rule in ours["rules"]}
    wrong += [
        f"the rule “{rule['name']}” is new and names no formats (puids)"
        for rule in rules
        if rule["name"] not in known and "puids" not in rule
    ]
    seen: dict[str, str] = {}
    for rule in rules:
        for puid in rule.get("puids", ()):
            if puid in seen:
                wrong.append(f"{puid} is in the rules “{seen[puid]}” and “{rule['name']}”")
            seen[puid] = rule["name"]
    return [*wrong, *_faults_of_rules(merged(ours, {"rules": rules}), recipes)]


def _sound(own: Any) -> list[Mapping[str, Any]]:
    """Return the rules that keep to their schema, of a policy that does not: these can be judged further."""
    rules = own.get("rules") if isinstance(own, dict) else None
    given = rules if isinstance(rules, list) else []
    return [rule for rule in given if not any(_of_shape(rule, "#/$defs/own_rule"))]


def _faults_of_rules(data: Mapping[str, Any], recipes: Recipes) -> Iterator[str]:
    """Yield what is wrong with the actions of a whole policy: unknown tools, recipes, arguments, labels."""
    for rule in data["rules"]:
        for kind in Kind:
            labels: set[tuple[str, str]] = set()
            for part in parts_of(rule, kind):
                place = f"rule “{rule['name']}”, {kind}"
                if part["action"] == "make":
                    yield from _of_action(part, place, recipes)
                    which = (part.get("label", ""), part["recipe"])
                    if which in labels:
                        yield f"{place}: two copies could have one name; give one of them a label"
                    labels.add(which)


def _of_action(part: Mapping[str, Any], place: str, recipes: Recipes) -> Iterator[str]:
    known = recipes(part["tool"])
    if known is None:
        yield f"{place}: there is no tool “{part['tool']}”"
    elif part["recipe"] not in known:
        names = ", ".join(sorted(known))
        yield f"{place}: {part['tool']} has no recipe “{part['recipe']}”; it has {names}"
    else:
        for error in Draft202012Validator(known[part["recipe"]]).iter_errors(part.get("arguments", {})):
            yield f"{place}, arguments: {error.message}"
    for check in part.get("within", {}):
        if check not in part.get("checks", ()):
            yield f"{place}: “within” names {check}, which is no check of it"


def _of_shape(data: Any, definition: str) -> Iterator[str]:
    schema = schemas.load("format-policy.schema.json")
    whole = {"$schema": schema["$schema"], "$ref": definition, "$defs": schema["$defs"]}
    for error in sorted(Draft202012Validator(whole).iter_errors(data), key=lambda each: each.json_path):
        deepest = best_match([error]) if error.context else error
        shown = deepest or error
        place = shown.json_path.removeprefix("$").lstrip(".") or "the whole"
        yield f"{_named_place(data, shown.absolute_path) or place}: {shown.message}"[:500]


def _named_place(data: Any, path: Any) -> str:
    """Return where a fault is, with the name of the rule: people count no brackets."""
    steps = list(path)
    if len(steps) >= 2 and steps[0] == "rules":  # rules, then which
        rule = data["rules"][steps[1]]
        name = rule.get("name") if isinstance(rule, dict) else None
        which = f"rule “{name}”" if name else f"rule number {steps[1] + 1}"
        return ", ".join([which, *map(str, steps[2:])])
    return ""
