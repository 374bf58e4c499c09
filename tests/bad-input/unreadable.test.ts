// Ops that are no plain data: whatever they do when they are read, they are refused like any other, with no trace.
import { expect, test } from 'vitest'
import { shared, trapped, withGetter } from './odd-values.ts'
import { refusalsOf, refusedWith, type Case } from './refusing.ts'

const unreadable: readonly Case[] = [
  ['a type that throws', withGetter({ key: 'k', value: 1 }, 'type'), 'VALUE_INVALID', 'ops[0]'],
  ['a field that throws', withGetter({ type: 'JsonSet', key: 'k' }, 'value'), 'VALUE_INVALID', 'ops[0]'],
  ['a proxy around it that throws', trapped, 'VALUE_INVALID', 'ops[0]'],
  ['the class of a Date', new Date(0), 'VALUE_INVALID', 'ops[0]'],
  ['the class of bytes', new Uint8Array(3), 'VALUE_INVALID', 'ops[0]'],
  ...['JsonSet', 'AnySet'].map((type): Case => [
    `a value for ${type} that is small in memory and beyond all bounds when written out`,
    { type, key: 'k', value: shared(31) },
    'VALUE_INVALID',
    'ops[0]',
  ]),
]

test.each(unreadable)('an op with %s is refused', async (_, op, code, path) => {
  expect(await refusalsOf(op)).toEqual(refusedWith(code, path))
})
