"""Checks each line of stdin, a JSON value, against the schema that the argument names; says what is wrong."""

import json
import pathlib
import sys

import jsonschema
from referencing import Registry, Resource

path = pathlib.Path(sys.argv[1])
schemas = {p.name: Resource.from_contents(json.loads(p.read_text())) for p in path.parent.glob("*.schema.json")}
schema = schemas[path.name].contents
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema, registry=Registry().with_resources(schemas.items()))

lines = [line for line in sys.stdin if line.strip()]
if not lines:
    sys.exit("nothing to check")
for line in lines:
    value = json.loads(line)
    errors = [deep for error in validator.iter_errors(value) for deep in (error.context or [error])]
    if errors:
        sys.exit("\n".join([line.strip(), *(f"  {error.json_path}: {error.message}" for error in errors)]))
