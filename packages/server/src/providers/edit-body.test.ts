import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { JsonObjectScan, scanJsonObject } from '../kernel/json-scan.ts';
import { BodyEdits } from './edit-body.ts';
import { modelCall } from '../../test/model-call.ts';

function edit(body: string, make: (edits: BodyEdits, scan: JsonObjectScan) => void): string {
  const scan = scanJsonObject(Buffer.from(body));
  assert.ok(scan instanceof JsonObjectScan);
  const edits = new BodyEdits(scan);
  make(edits, scan);
  return edits.apply().toString();
}

describe('BodyEdits', () => {
  test('nothing to edit gives the very same buffer', () => {
    const call = modelCall('{"model":"m","a":1}');
    const edits = new BodyEdits(call.scan);
    edits.renameModel(call);
    edits.setWhereUnset('a', '2');
    assert.equal(edits.apply(), call.body);
  });

  test('a model that is no text is left for the server to refuse', () => {
    const call = modelCall('{"a":1}', { upstreamModel: 'real' });
    for (const body of ['{"model":7}', '{"model":null}', '{}']) {
      assert.equal(
        edit(body, (edits) => edits.renameModel(call)),
        body,
      );
    }
  });

  test('appended fields come last, after a comma only where there is something before', () => {
    const append = (body: string) =>
      edit(body, (edits) => {
        edits.append('b', '1');
        edits.append('c', '"é"');
      });
    assert.equal(append('{}'), '{"b":1,"c":"é"}');
    assert.equal(append(' { "a" : 0 } '), ' { "a" : 0 ,"b":1,"c":"é"} ');
  });

  test('a field is set where it is absent or null, and else left alone', () => {
    const set = (body: string) => edit(body, (edits) => edits.setWhereUnset('a', '1'));
    assert.equal(set('{}'), '{"a":1}');
    assert.equal(set('{"a": null }'), '{"a": 1 }');
    assert.equal(set('{"a":0}'), '{"a":0}');
    assert.equal(set('{"a":false}'), '{"a":false}');
  });

  test('edits are made in the order of the body, in whatever order they are given', () => {
    const edited = edit('{"b":{"x":1},"a":"é"}', (edits, scan) => {
      const [a, b] = [scan.field('a'), scan.field('b')];
      assert.ok(a && b);
      edits.append('c', '3');
      edits.replace(a, '"longer than before"');
      edits.appendTo(scan.fieldsOf(b), 'y', '2');
    });
    assert.equal(edited, '{"b":{"x":1,"y":2},"a":"longer than before","c":3}');
  });

  test('every other byte stays, whatever spaces and numbers the client writes', () => {
    const space = fc.constantFrom('', ' ', '\n\t');
    const value = fc.constantFrom('1e2', '0.10', '-0', '"\\u00e9"', '"é🌊"', '[1 ,2]', '{"a":{}}');
    fc.assert(
      fc.property(space, value, value, fc.string({ unit: 'grapheme' }), (gap, first, last, model) => {
        const written = (name: string) =>
          `{${gap}"x":${first},${gap}"model"${gap}:${name}${gap},"z":${last}}${gap}`;
        const call = modelCall(written('"alias"'), { upstreamModel: model });
        const edits = new BodyEdits(call.scan);
        edits.renameModel(call);
        assert.equal(edits.apply().toString(), Buffer.from(written(JSON.stringify(model))).toString());
      }),
    );
  });
});
