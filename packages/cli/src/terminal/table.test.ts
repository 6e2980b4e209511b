import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, test } from 'node:test';
import { createStyle, plainStyle } from './style.ts';
import { renderFields, renderTable } from './table.ts';

describe('renderTable', () => {
  test('columns line up, numbers to the right, with no space at the end of a line', () => {
    const table = renderTable(
      [{ title: 'name' }, { title: 'usd', align: 'right' }, { title: 'note' }],
      [
        ['a', '1.50', 'x'],
        ['longer', '100.00', ''],
      ],
    );
    assert.equal(table, 'NAME       USD  NOTE\na         1.50  x\nlonger  100.00\n');
  });

  test('wide and combining characters take the cells that a terminal gives them', () => {
    const table = renderTable(
      [{ title: 'n' }, { title: 'x' }],
      [
        ['漢字', '1'],
        ['e\u0301', '2'],
      ],
    );
    assert.equal(table, 'N     X\n漢字  1\ne\u0301     2\n');
  });

  test('nothing in a cell can move the cursor, break the line or turn the text around', () => {
    const table = renderTable([{ title: 'name' }], [['a\u001b[2Jb\nc\u202Ed\u009b']]);
    assert.equal(table, 'NAME\na\\u{1b}[2Jb\\u{a}c\\u{202e}d\\u{9b}\n');
  });

  test('an empty table is its titles', () => {
    assert.equal(renderTable([{ title: 'id' }], []), 'ID\n');
    assert.equal(renderFields([], plainStyle), '');
  });
});

describe('createStyle', () => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true });

  test('colours on a terminal alone, and not with NO_COLOR or a dumb one', () => {
    assert.notEqual(createStyle(terminal, {})('bad', 'x'), 'x');
    assert.equal(stripVTControlCharacters(createStyle(terminal, {})('bad', 'x')), 'x');
    assert.equal(createStyle(new PassThrough(), {})('bad', 'x'), 'x');
    assert.equal(createStyle(terminal, { NO_COLOR: '1' })('bad', 'x'), 'x');
    assert.notEqual(createStyle(terminal, { NO_COLOR: '' })('bad', 'x'), 'x');
    assert.equal(createStyle(terminal, { TERM: 'dumb' })('bad', 'x'), 'x');
  });
});
