// [14] How many packed snapshots a hub keeps, beside their bytes: the bound is moved.
import { deflateSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { limits } from '@rejoin/core'
import { PackedSnapshots } from '../src/packed-snapshots.ts'

vi.mock('@rejoin/core', async (importOriginal) => {
  const core = await importOriginal<typeof import('@rejoin/core')>()
  return { ...core, limits: { ...core.limits, packedSnapshotsMax: 3 } }
})

test.each([
  [2, 2],
  [3, 3],
  [4, 5],
])(
  '[14] of %i packed snapshots, asked for twice, %i are made: beyond the bound the oldest goes',
  async (count, made) => {
    let packed = 0
    const kept = new PackedSnapshots(
      async (snapshot) => {
        packed++
        return deflateSync(snapshot)
      },
      () => {},
    )
    const snapshot = new Uint8Array(limits.packedBytesMin)
    const cursor = { epoch: 1, seq: 1, tag: '0123456789abcdef' }
    const ask = (i: number) => kept.of(`n${i}`, { cursor, snapshot, domainVersion: 1 })
    for (let i = 0; i < count; i++) await ask(i)
    await ask(0)
    expect(packed).toBe(made)
  },
)
