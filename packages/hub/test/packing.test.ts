// Snapshots are packed for who can read them so, once for each checkpoint.
import { deflateSync } from 'node:zlib'
import { limits } from '@rejoin/core'
import { expect, test } from 'vitest'
import { PackedSnapshots, type PackSnapshot } from '../src/packed-snapshots.ts'
import { Author, Line, NAMESPACE, openWorld, settle, textsOf, type World } from './world.ts'

/** Notes of some kilobytes, and what was packed of them. */
async function filled(pack: PackSnapshot, text = 'again and again, '.repeat(600)) {
  const packed: Uint8Array[] = []
  const world = openWorld({
    pack: (snapshot) => {
      packed.push(snapshot)
      return pack(snapshot)
    },
  })
  const author = new Author(world.clock)
  const line = new Line(world).hello(author)
  await settle()
  const write = async (id: string): Promise<void> => {
    line.push(line.cursor?.epoch ?? null, author.note(id, text))
    await settle()
  }
  await write('a')
  await write('b')
  await world.hub.checkpoint(NAMESPACE)
  return { world, packed, write }
}

async function joined(world: World, capabilities: string[]): Promise<Line> {
  const line = new Line(world).hello(new Author(world.clock), null, { capabilities })
  // Unpacking is done off this thread.
  for (let i = 0; i < 1_000 && line.of('CaughtUp').length === 0; i++) await settle()
  return line
}

const deflating: PackSnapshot = (snapshot) => Promise.resolve(deflateSync(snapshot))

test('all who need a snapshot get the same, packed once; the next checkpoint is packed anew', async () => {
  const { world, packed, write } = await filled(deflating)
  const lines = await Promise.all([0, 1, 2].map(() => joined(world, ['delta', 'zlib'])))
  expect(packed).toHaveLength(1)
  for (const line of lines) {
    expect(line.of('Snapshot')[0]).toMatchObject({ snapshot: packed[0] })
    expect(Object.keys(textsOf(line.updates))).toEqual(['a', 'b'])
    expect(line.channel.bill.bytesDown).toBeLessThan((packed[0]?.length ?? 0) / 10)
  }
  await write('c')
  await world.hub.checkpoint(NAMESPACE)
  const late = await joined(world, ['delta', 'zlib'])
  expect(packed).toHaveLength(2)
  expect(Object.keys(textsOf(late.updates))).toEqual(['a', 'b', 'c'])
})

test.each<[string, PackSnapshot]>([
  ['packing fails', () => Promise.reject(new Error('no memory'))],
  ['it would not save enough', (snapshot) => Promise.resolve(new Uint8Array(snapshot.length * 0.95))],
])('where %s, it is sent as it is', async (_, pack) => {
  const { world } = await filled(pack)
  const line = await joined(world, ['delta', 'zlib'])
  expect(line.story).toBe('Welcome:snapshot Snapshot@2 CaughtUp@2:0')
  expect(Object.keys(textsOf(line.updates))).toEqual(['a', 'b'])
})

test('who does not offer to read them so gets them as they are', async () => {
  const { world, packed } = await filled(deflating)
  const line = await joined(world, ['delta'])
  expect(packed).toEqual([])
  expect(Object.keys(textsOf(line.updates))).toEqual(['a', 'b'])
})

test('a small one is not worth it', async () => {
  const { world, packed } = await filled(deflating, 'short')
  await joined(world, ['delta', 'zlib'])
  expect(packed).toEqual([])
})

test('[14] what is kept is bounded: those used longest ago go first', async () => {
  const snapshots = new Map<string, Uint8Array>()
  let count = 0
  const pack: PackSnapshot = (snapshot) => {
    count++
    return Promise.resolve(deflateSync(snapshot, { level: 0 }).subarray(0, snapshot.length * 0.8))
  }
  const kept = new PackedSnapshots(pack, () => {}, 10_000)
  const of = (namespace: string) => {
    const snapshot = snapshots.get(namespace) ?? new Uint8Array(limits.packedBytesMin)
    snapshots.set(namespace, snapshot)
    return kept.of(namespace, {
      cursor: { epoch: 1, seq: 1, tag: '0'.repeat(16) },
      snapshot,
      domainVersion: 1,
    })
  }
  // Three of 3,276 bytes fit.
  for (const namespace of ['a', 'b', 'c', 'a', 'd']) await of(namespace)
  expect(count).toBe(4)
  await of('a')
  expect(count).toBe(4)
  await of('b')
  expect(count).toBe(5)
})

test('[14] as many are packed at once as may be; meanwhile others go as they are, and who comes later is packed', async () => {
  const ending: ((how: 'packed' | 'failed') => void)[] = []
  const pack: PackSnapshot = (snapshot) =>
    new Promise((resolve, reject) =>
      ending.push((how) =>
        how === 'packed' ? resolve(snapshot.subarray(0, 10)) : reject(new Error('no memory')),
      ),
    )
  const packed = new PackedSnapshots(pack, () => {})
  const of = (namespace: string, seq = 1) =>
    packed.of(namespace, {
      cursor: { epoch: 1, seq, tag: '0'.repeat(16) },
      snapshot: new Uint8Array(limits.packedBytesMin),
      domainVersion: 1,
    })
  const begun = Array.from({ length: limits.packingsMax }, (_, i) => of(`n${i}`))
  expect(await of('other')).toBeNull()
  // Neither does a newer checkpoint of the same document come on top, and nobody is packed twice.
  expect(await of('n0', 2)).toBeNull()
  const again = of('n0')
  expect(ending).toHaveLength(limits.packingsMax)
  ending[0]?.('packed')
  ending[1]?.('failed')
  expect(await begun[0]).toHaveLength(10)
  expect(await again).toHaveLength(10)
  expect(await begun[1]).toBeNull()
  const later = [of('other'), of('n0', 2)]
  expect(ending).toHaveLength(limits.packingsMax + 2)
  for (const end of ending) end('packed')
  for (const each of later) expect(await each).toHaveLength(10)
})
