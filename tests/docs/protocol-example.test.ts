// The example at the end of `docs/PROTOCOL.md` is what the codec writes, byte by byte.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { replicaIdOf } from '@rejoin/core'
import { encodeUp } from '@rejoin/transport'
import { encodeFrame } from '../../packages/transport/src/frames.ts'

const id = [0x0f, 0x0e, 0x0c, 0x0c, ...Array<number>(12).fill(0)]

test('a replica of `a` in `todo` that has nothing greets with these bytes', () => {
  const page = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8')
  const [, block = ''] = /## Example\n.*?\n```\n(.*?)```/s.exec(page) ?? []
  // The id alone is shortened.
  const shown = block.replace(
    '0f 0e 0c 0c … 00',
    Buffer.from(id).toString('hex').replaceAll(/../g, '$& ').trim(),
  )
  const bytes = shown
    .split('\n')
    .flatMap((line) => /^((?:[0-9a-f]{2} ?)+)/.exec(line)?.[1]?.trim().split(' ') ?? [])
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
  expect(bytes.join('')).toBe(
    Buffer.from(encodeFrame({ kind: 'whole', channel: 1, payload })).toString('hex'),
  )
})
