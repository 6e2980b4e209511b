import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SCHEMA_DEPTH_MAX } from './read-schema.ts';
import { read, refuse } from './test-chats.ts';

function toolWith(schema: unknown, name = 'parameters'): unknown {
  return {
    contents: [{ parts: [{ text: 'x' }] }],
    tools: { functionDeclarations: { name: 'f', [name]: schema } },
  };
}

function convert(schema: unknown): unknown {
  return read(toolWith(schema)).tools[0]?.schema;
}

function nested(levels: number): unknown {
  return levels === 1 ? {} : { items: nested(levels - 1) };
}

describe("Google's own schema", () => {
  test('becomes JSON Schema', () => {
    assert.deepEqual(
      convert({
        type: 'OBJECT',
        title: 'T',
        description: 'D',
        properties: {
          b: { type: 'INTEGER', format: 'int32', minimum: 1, maximum: 5, enum: ['1', '5'] },
          a: { type: 'STRING', format: 'enum', enum: ['x', 'y'], nullable: true, example: 'x' },
          list: {
            type: 'ARRAY',
            minItems: '1',
            max_items: 9,
            items: { anyOf: [{ type: 'NUMBER' }], nullable: true },
          },
        },
        required: ['a'],
        propertyOrdering: ['a', 'b'],
      }),
      {
        type: 'object',
        title: 'T',
        description: 'D',
        properties: {
          a: { type: ['string', 'null'], enum: ['x', 'y', null], examples: ['x'] },
          b: { type: 'integer', format: 'int32', minimum: 1, maximum: 5, enum: [1, 5] },
          list: {
            type: 'array',
            minItems: 1,
            maxItems: 9,
            items: { anyOf: [{ type: 'number' }, { type: 'null' }] },
          },
        },
        required: ['a'],
      },
    );
  });

  test('says the order of properties by their order', () => {
    const schema = convert({ properties: { a: {}, b: {}, c: {} }, propertyOrdering: ['c', 'a'] });
    assert.equal(JSON.stringify(schema), '{"properties":{"c":{},"a":{},"b":{}}}');
  });

  test('is refused where it is wrong, by the name of the field in it', () => {
    const at = 'tools.0.functionDeclarations.0.parameters';
    assert.equal(refuse(toolWith({ type: 'THING' })), `invalid_request ${at}.type`);
    assert.equal(
      refuse(toolWith({ properties: { a: { oneOf: [] } } })),
      `unsupported_parameter ${at}.properties.a.oneOf`,
    );
    assert.equal(refuse(toolWith({ anyOf: [1] })), `invalid_request ${at}.anyOf.0`);
    assert.equal(refuse(toolWith({ properties: { a: 1 } })), `invalid_request ${at}.properties.a`);
    assert.equal(refuse(toolWith({ minItems: 'x' })), `invalid_request ${at}.minItems`);
    assert.equal(refuse(toolWith({ type: 'INTEGER', enum: ['x'] })), `invalid_request ${at}.enum`);
    assert.equal(refuse(toolWith({ propertyOrdering: ['x'] })), `invalid_request ${at}.propertyOrdering`);
  });
});

test('a schema of either kind is refused where it is too deep', () => {
  for (const name of ['parameters', 'parametersJsonSchema']) {
    assert.ok(read(toolWith(nested(SCHEMA_DEPTH_MAX), name)));
    assert.equal(
      refuse(toolWith(nested(SCHEMA_DEPTH_MAX + 1), name)),
      `invalid_request tools.0.functionDeclarations.0.${name}`,
    );
  }
});

test('JSON Schema passes as it is', () => {
  const schema = {
    type: 'object',
    $defs: { a_b: { const: 1 } },
    properties: { min_items: { $ref: '#/$defs/a_b' } },
  };
  assert.deepEqual(read(toolWith(schema, 'parametersJsonSchema')).tools[0]?.schema, schema);
});
