// The examples at the end of `docs/PROTOCOL.md` are what the codec writes, byte by byte.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { HlcClock, planWrites, replicaIdOf } from '@rejoin/core'
import { yjsCrdt } from '@rejoin/crdt-adapter'
import { intents } from '@rejoin/intents'
import { encodeUp } from '@rejoin/transport'
import { encodeFrame } from '../../packages/transport/src/frames.ts'

const id = [0x0f, 0x0e, 0x0c, 0x0c, ...Array<number>(12).fill(0)]

test('a replica of `a` in `todo` that has nothing greets with these bytes', () => {
  // The id alone is shortened.
  const shown = blocks()[0]?.replace(
    '0f 0e 0c 0c … 00',
    Buffer.from(id).toString('hex').replaceAll(/../g, '$& ').trim(),
  )
  const payload = encodeUp({
    type: 'Hello',
    namespace: 'a',
    domain: 'todo',
    domainVersion: 1,
    replica: replicaIdOf(Uint8Array.from(id)),
    cursor: null,
    ackedCounter: 0,
    capabilities: ['delta'],
  })
  expect(bytesOf(shown)).toBe(hexOf(payload))
})

test('it then pushes one op of the intents domain with these bytes', () => {
  const document = yjsCrdt.open(2_000, [])
  const hlc = new HlcClock(replicaIdOf(Uint8Array.from(id)), null).tick(Date.UTC(2026, 0, 1))
  const ops = [{ type: 'IntentAdded', id: 'greet', phrasesByLang: { en: ['hi'] }, persona: 'kind' }]
  const update = document.write(planWrites(intents, ops, document, hlc, 'required'), hlc)
  if (update === null) throw new Error('it writes something')
  const commit = { counter: 1, prev: 0, hlc, domainVersion: intents.version, ops, update }
  expect(bytesOf(blocks()[1])).toBe(hexOf(encodeUp({ type: 'Push', epoch: null, commits: [commit] })))
})

function blocks(): readonly string[] {
  const page = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8')
  const [, examples = ''] = page.split('\n## Example\n')
  return Array.from(examples.matchAll(/\n```\n(.*?)```/gs), ([, block = '']) => block)
}

/** What stands at the beginning of each line. */
function bytesOf(block: string | undefined): string {
  const lines = (block ?? '').split('\n')
  return lines.map((line) => /^(?:[0-9a-f]{2} ?)+/.exec(line)?.[0].replaceAll(' ', '')).join('')
}

function hexOf(payload: Uint8Array): string {
  return Buffer.from(encodeFrame({ kind: 'whole', channel: 1, payload })).toString('hex')
}
