"""Answers of a format, as the Python client asks for them, from the default model: pydantic objects, streamed and whole, and generations under many schemas
that are all valid by jsonschema. `structured_output_test.py COUNT`: so many generations; 500 in the slow tests.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Literal, Optional, Union

import jsonschema
import openai
from checks import check, run_checks
from daemon import Daemon
from pydantic import BaseModel, Field

COUNT = int(sys.argv.pop(1)) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 50


class Colour(str, Enum):
    red = "red"
    green = "green"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str = Field(max_length=12)


class Person(BaseModel):
    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=120)
    colour: Colour
    nickname: Optional[str] = Field(max_length=10)
    pet: Union[Cat, Dog] = Field(discriminator="kind")


TEXT = {"type": "string", "maxLength": 20}
CLOSED = {"type": "object", "additionalProperties": False}
SCHEMAS = [
    Person.model_json_schema(),
    {"type": "integer", "minimum": -50, "maximum": 1000},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    {"type": "boolean"},
    {"enum": ["yes", "no", None, 3, {"a": [1]}]},
    {"const": {"fixed": True}},
    {"type": "string", "pattern": "^[A-Z][a-z]{2,8}( [A-Z][a-z]{2,8})?$"},
    {"type": "string", "pattern": "[0-9]", "minLength": 3, "maxLength": 6},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "format": "email", "maxLength": 40},
    {"type": "string", "format": "ipv4"},
    {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "minItems": 2, "maxItems": 5},
    {"type": "array", "prefixItems": [TEXT, {"type": "boolean"}], "items": False, "minItems": 2},
    {"type": "array", "items": {**CLOSED, "properties": {"k": TEXT, "v": {"type": "integer"}}, "required": ["k", "v"]}, "maxItems": 3},
    {**CLOSED, "properties": {"a": TEXT, "b": TEXT, "c": TEXT}},
    {**CLOSED, "properties": {"a": {**CLOSED, "properties": {"b": {**CLOSED, "properties": {"c": {"type": "null"}}, "required": ["c"]}}, "required": ["b"]}}, "required": ["a"]},
    {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"], "additionalProperties": {"type": "boolean"}},
    {"anyOf": [{"type": "integer"}, {**CLOSED, "properties": {"error": TEXT}, "required": ["error"]}]},
    {"oneOf": [{**CLOSED, "properties": {"t": {"const": "a"}}, "required": ["t"]}, {**CLOSED, "properties": {"t": {"const": "b"}, "x": {"type": "number"}}, "required": ["t", "x"]}]},
    {"allOf": [{"type": "object", "properties": {"a": TEXT}, "required": ["a"]}, {"properties": {"b": {"type": "boolean"}, "a": {"minLength": 2}}, "required": ["b"], "additionalProperties": True}]},
    {"$ref": "#/$defs/tree", "$defs": {"tree": {**CLOSED, "properties": {"v": {"type": "integer", "minimum": 0, "maximum": 99}, "kids": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/tree"}}}, "required": ["v"]}}},
    {**CLOSED, "properties": {"city": TEXT, "at": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}, "tags": {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 4}}, "required": ["city", "at", "tags"]},
    {"type": ["string", "null"], "maxLength": 15},
]
QUESTION = [{"role": "user", "content": "Invent something and describe it as JSON."}]


class World:
    def __init__(self, daemon):
        self.model = daemon.model
        self.client = openai.OpenAI(base_url=daemon.url + "/v1", api_key="none", max_retries=0, timeout=300)


def format_of(schema):
    return {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}}


@check
def the_client_parses_pydantic_objects(world):
    answer = world.client.chat.completions.parse(model=world.model, messages=QUESTION, response_format=Person, max_tokens=300, seed=1)
    person = answer.choices[0].message.parsed
    assert isinstance(person, Person) and answer.choices[0].finish_reason == "stop", answer


@check
def and_streams_them(world):
    with world.client.chat.completions.stream(model=world.model, messages=QUESTION, response_format=Person, max_tokens=300, seed=2) as stream:
        pieces = [event for event in stream if event.type == "content.delta"]
        answer = stream.get_final_completion()
    assert len(pieces) > 5 and isinstance(answer.choices[0].message.parsed, Person), answer


@check
def every_generation_is_valid(world):
    validators = [jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()) for schema in SCHEMAS]
    assert len(SCHEMAS) == 25

    def generate(i):
        answer = world.client.chat.completions.create(
            model=world.model, messages=QUESTION, response_format=format_of(SCHEMAS[i % 25]), max_tokens=400, temperature=1.0, seed=i
        ).choices[0]
        return i, answer.finish_reason, answer.message.content

    cut = 0
    with ThreadPoolExecutor(8) as pool:
        for i, reason, text in pool.map(generate, range(COUNT)):
            if reason == "length":
                cut += 1
                continue
            assert reason == "stop", reason
            validators[i % 25].validate(json.loads(text))
    print(f"{COUNT} generations under 25 schemas: {COUNT - cut} whole and valid, {cut} cut at max_tokens")
    assert cut <= COUNT // 20, cut


@check
def what_cannot_be_enforced_is_refused_with_its_place(world):
    try:
        world.client.chat.completions.create(model=world.model, messages=QUESTION, response_format=format_of({"type": "array", "items": {"not": {}}}))
        raise AssertionError("taken")
    except openai.BadRequestError as error:
        assert error.body["param"] == "/response_format/json_schema/schema/items/not", error.body


if __name__ == "__main__":
    with Daemon() as daemon:
        run_checks(World(daemon))
