/** What is wrong, with the code and the path of its refusal. */
import { limits } from '@rejoin/core'
import { nested, throwing, trapped } from './odd-values.ts'
import type { Case } from './refusing.ts'

export const half = '\ud83d'
const proto = (json = '{"__proto__": {"admin": true}}'): unknown => JSON.parse(json)
const cyclic: { self?: unknown } = {}
cyclic.self = cyclic
const ring: unknown[] = []
ring.push([ring])
const { proxy: revoked, revoke } = Proxy.revocable({}, {})
revoke()
class Money {
  readonly amount = 1
}

/** A JSON text of so many bytes. */
const textOf = (bytes: number): string => 'x'.repeat(bytes - 2)

/** Where the fault lies is told as if the op were the only one. */
export const envelopes: readonly Case[] = [
  ['null', null, 'OP_INVALID', 'ops[0].type'],
  ['undefined', undefined, 'OP_INVALID', 'ops[0].type'],
  ['a number', 5, 'OP_INVALID', 'ops[0].type'],
  ['a text', 'JsonSet', 'OP_INVALID', 'ops[0].type'],
  ['an array', [{ type: 'JsonSet', key: 'k', value: 1 }], 'OP_INVALID', 'ops[0].type'],
  ['an object without a type', {}, 'OP_INVALID', 'ops[0].type'],
  ['a type that is no text', { type: 5 }, 'OP_INVALID', 'ops[0].type'],
  ['a function', () => {}, 'OP_INVALID', 'ops[0].type'],
  ['an unknown type', { type: 'Nope' }, 'OP_UNKNOWN', 'ops[0]'],
  ['the empty type', { type: '' }, 'OP_UNKNOWN', 'ops[0]'],
  ...['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString'].map((type): Case => [
    `the type ${type}`,
    { type },
    'OP_UNKNOWN',
    'ops[0]',
  ]),
]

export const schemas: readonly Case[] = [
  ['a payload without a field', { type: 'JsonSet', key: 'k' }, 'OP_INVALID', 'ops[0].value'],
  ['a payload of another type', { type: 'JsonSet', key: 5, value: 1 }, 'OP_INVALID', 'ops[0].key'],
  [
    'a fault deep inside',
    { type: 'Resolved', entries: [{ table: 'values', key: ['k', 5], value: 1 }] },
    'OP_INVALID',
    'ops[0].entries[0].key[1]',
  ],
  ['what makes its schema throw', { type: 'Refined', key: 'no address' }, 'OP_INVALID', 'ops[0]'],
  ['a value its table forbids', { type: 'ColorSet', key: 'red', value: 'long' }, 'VALUE_INVALID', 'ops[0]'],
  ['a number its table forbids', { type: 'LowerSet', key: 'a', value: -1 }, 'VALUE_INVALID', 'ops[0]'],
  ['a field its table does not have', { type: 'RowAdded', id: 'row', nope: 1 }, 'KEY_INVALID', 'ops[0]'],
  ['a field of the wrong type', { type: 'RowAdded', id: 'row', title: 5 }, 'VALUE_INVALID', 'ops[0]'],
  [
    'a row without its parent',
    { type: 'ChildSet', id: 'nowhere', key: 'k', value: 1 },
    'PARENT_MISSING',
    'ops[0]',
  ],
  [
    'a choice in no table',
    { type: 'Resolved', entries: [{ table: 'nope', key: ['k'], value: 1 }] },
    'TABLE_UNKNOWN',
    'ops[0]',
  ],
  [
    'a choice in the table __proto__',
    { type: 'Resolved', entries: [{ table: '__proto__', key: ['k'], value: 1 }] },
    'TABLE_UNKNOWN',
    'ops[0]',
  ],
  [
    'a choice its table forbids',
    { type: 'Resolved', entries: [{ table: 'colors', key: ['red'], value: 7 }] },
    'VALUE_INVALID',
    'ops[0]',
  ],
  ['a choice without entries', { type: 'Resolved', entries: [] }, 'OP_INVALID', 'ops[0].entries'],
  [
    'a choice of a key with too many parts',
    { type: 'Resolved', entries: [{ table: 'values', key: ['k', 'l'], value: 1 }] },
    'KEY_INVALID',
    'ops[0]',
  ],
  [
    'a removal of a key with too many parts',
    { type: 'Restored', entries: [{ table: 'values', key: ['k', 'l'] }] },
    'KEY_INVALID',
    'ops[0]',
  ],
  [
    'a restored field named __proto__',
    { type: 'Restored', entries: [{ table: 'rows', key: ['row', '__proto__'], value: 1 }] },
    'KEY_INVALID',
    'ops[0]',
  ],
  [
    'a restored row that is not true',
    { type: 'Restored', entries: [{ table: 'rows', key: ['row'], value: 1 }] },
    'VALUE_INVALID',
    'ops[0]',
  ],
  [
    'a restored field without its row',
    { type: 'Restored', entries: [{ table: 'rows', key: ['no', 'title'], value: 'x' }] },
    'PARENT_MISSING',
    'ops[0]',
  ],
]

const key = (value: unknown): unknown => ({ type: 'JsonSet', key: value, value: 1 })
const pair = (value: unknown): unknown => ({ type: 'PairSet', key: value })
export const keys: readonly Case[] = [
  ['that its table does not list', { type: 'ColorSet', key: 'green', value: 'x' }, 'KEY_INVALID', 'ops[0]'],
  ['that its schema would change', { type: 'LowerSet', key: 'Abc', value: 1 }, 'KEY_INVALID', 'ops[0]'],
  ['with U+0000', key('a\u0000b'), 'KEY_INVALID', 'ops[0]'],
  ['with half a surrogate pair', { type: 'LowerSet', key: half, value: 1 }, 'VALUE_INVALID', 'ops[0].key'],
  ['of one byte too many', key('é'.repeat(512) + 'x'), 'KEY_INVALID', 'ops[0]'],
  [
    'of one byte too many in two parts',
    pair(['x'.repeat(limits.keyBytesMax - 1), 'en']),
    'KEY_INVALID',
    'ops[0]',
  ],
  ['of too few parts', pair(['a']), 'KEY_INVALID', 'ops[0]'],
  ['of too many parts', pair(['a', 'en', 'b']), 'KEY_INVALID', 'ops[0]'],
  ['of no parts', pair([]), 'KEY_INVALID', 'ops[0]'],
  ['with a part its table does not list', pair(['a', 'fr']), 'KEY_INVALID', 'ops[0]'],
  ['that is one text where it has two', pair('en'), 'KEY_INVALID', 'ops[0]'],
  ['that is a number', pair(5), 'KEY_INVALID', 'ops[0]'],
  ['that is null', pair(null), 'KEY_INVALID', 'ops[0]'],
  ['that is an object', pair({ 0: 'a', 1: 'en', length: 2 }), 'KEY_INVALID', 'ops[0]'],
  ['with a part that is a number', pair(['a', 5]), 'KEY_INVALID', 'ops[0]'],
  [
    'that is __proto__ where its table lists others',
    { type: 'ColorSet', key: '__proto__', value: 'x' },
    'KEY_INVALID',
    'ops[0]',
  ],
]

/** Name, value, and the path to the fault in it; nesting counts from the payload. */
export const values: readonly (readonly [name: string, value: unknown, below: string])[] = [
  ['NaN', NaN, ''],
  ['Infinity', Infinity, ''],
  ['-Infinity', -Infinity, ''],
  ['NaN deep inside', { a: [1, { b: NaN }] }, '.a[1].b'],
  ['a BigInt', 1n, ''],
  ['a symbol', Symbol('s'), ''],
  ['a function', () => 1, ''],
  ['undefined in an array', [1, undefined], '[1]'],
  // The hole is what is tested.
  // oxlint-disable-next-line no-sparse-arrays
  ['a hole in an array', [1, , 3], '[1]'],
  ['a Date', new Date(0), ''],
  ['a Map', new Map([['a', 1]]), ''],
  ['a Set', new Set([1]), ''],
  ['bytes', new Uint8Array([1, 2]), ''],
  ['a Buffer', Buffer.from('x'), ''],
  ['a regular expression', /x/, ''],
  ['a promise', Promise.resolve(1), ''],
  ['a boxed text', Object('x'), ''],
  ['an object of a class', { money: new Money() }, '.money'],
  ['an object of another prototype', Object.create({ inherited: 1 }), ''],
  ['half a surrogate pair', half, ''],
  ['the other half', ['fine', '\udc00'], '[1]'],
  ['a field name with half a surrogate pair', { a: { [half]: 1 } }, '.a'],
  ['a field named __proto__', proto(), ''],
  ['a field named __proto__ deep inside', proto('[{"a": {"__proto__": 1}}]'), '[0].a'],
  ['a cycle of objects', cyclic, '.self'.repeat(limits.valueDepthMax)],
  ['a cycle of arrays', ring, '[0]'.repeat(limits.valueDepthMax)],
  ['one level too many', nested(limits.valueDepthMax + 1), '[0]'.repeat(limits.valueDepthMax)],
  ['a hundred thousand levels', nested(100_000), '[0]'.repeat(limits.valueDepthMax)],
  ['a getter that throws', throwing, ''],
  ['a proxy that throws', trapped, ''],
  ['a proxy that was revoked', revoked, ''],
]

export const wholes: readonly Case[] = [
  ['a value of one byte too many', key1(textOf(limits.valueBytesMax + 1)), 'VALUE_INVALID', 'ops[0]'],
  [
    'a value of one byte too many in UTF-8',
    key1(`${textOf(limits.valueBytesMax - 1)}é`),
    'VALUE_INVALID',
    'ops[0]',
  ],
  ['a payload larger than a commit', key1(textOf(limits.commitBytesMax + 1)), 'VALUE_INVALID', 'ops[0]'],
  [
    'a payload field named __proto__',
    proto('{"type": "JsonSet", "key": "k", "value": 1, "__proto__": 2}'),
    'VALUE_INVALID',
    'ops[0]',
  ],
  [
    'a payload field named __proto__ that would be a field of a row',
    proto('{"type": "RowAdded", "id": "row", "__proto__": 2}'),
    'VALUE_INVALID',
    'ops[0]',
  ],
  [
    'a payload field beyond the schema that is no JSON',
    { type: 'JsonSet', key: 'k', value: 1, more: NaN },
    'VALUE_INVALID',
    'ops[0].more',
  ],
]

function key1(value: unknown): unknown {
  return { type: 'JsonSet', key: 'k', value }
}

export const throws: readonly Case[] = (['error', 'text', 'nothing', 'code'] as const).flatMap((what) =>
  [0, 3].map((writes): Case => [
    `${what} after ${writes} writes`,
    { type: 'HalfWay', writes, what },
    what === 'code' ? 'INPUT_INVALID' : 'OP_FAILED',
    'ops[0]',
  ]),
)

export const commits: readonly Case[] = [
  ['without ops', [], 'OP_INVALID', 'ops'],
  [
    'of one op too many',
    Array.from({ length: limits.commitOpsMax + 1 }, () => key('k')),
    'COMMIT_TOO_LARGE',
    'ops',
  ],
  ['with a hole', holed(), 'OP_INVALID', 'ops[1].type'],
  [
    'that writes too many bytes',
    Array.from({ length: 34 }, (_, i) => ({
      type: 'JsonSet',
      key: `k${i}`,
      value: textOf(limits.valueBytesMax),
    })),
    'COMMIT_TOO_LARGE',
    'ops',
  ],
  [
    'whose last op of thousands is wrong',
    [...Array.from({ length: 3_000 }, (_, i) => key(`k${i}`)), key('a\u0000b')],
    'KEY_INVALID',
    'ops[3000]',
  ],
  [
    'that removes a row and then needs it',
    [
      { type: 'RowRemoved', id: 'row' },
      { type: 'ChildSet', id: 'row', key: 'k', value: 1 },
    ],
    'PARENT_MISSING',
    'ops[1]',
  ],
]

function holed(): unknown[] {
  const ops: unknown[] = [key('a')]
  ops[2] = key('c')
  return ops
}
