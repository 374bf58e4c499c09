// A reader that stops reading while 100,000 commits are written: what is held for it stays bounded, and it has all of them in
// the end.
import { expect, test } from 'vitest'
import { limits } from '@rejoin/core'
import { Author, Line, openWorld, settle, textsOf } from './world.ts'

const COMMITS = 100_000
const AT_ONCE = 250
const KEYS = 500

test('[14] a reader that stops reading while 100,000 commits are written holds up nobody, and misses nothing', async () => {
  // Folding is not what this is about.
  const world = openWorld({ checkpoint: { bytesMin: 4 * 2 ** 20 }, rebuild: 'never' })
  const ada = new Author(world.clock)
  const line = new Line(world).hello(ada)
  const slow = new Line(world).hello(new Author(world.clock))
  await settle()
  slow.connection.hold('down')
  let backlogMax = 0
  let epoch: number | null = null
  const text = 'what is written while nobody reads, '.repeat(4)
  for (let i = 0; i < COMMITS; i += AT_ONCE) {
    const commits = Array.from({ length: AT_ONCE }, (_, j) =>
      ada.note(`n${(i + j) % KEYS}`, `${i + j} ${text}`),
    )
    line.push(epoch, ...commits)
    for (let turn = 0; turn < 50 && line.of('Ack').length < AT_ONCE; turn++) await settle()
    expect(line.of('Ack')).toHaveLength(AT_ONCE)
    epoch = line.cursor?.epoch ?? epoch
    line.forget()
    backlogMax = Math.max(backlogMax, slow.hubChannel?.backlogBytes ?? 0)
  }
  // 16 MB of commits, and as much again in ops, were written.
  expect(backlogMax).toBeGreaterThan(limits.backlogBytesMax)
  expect(backlogMax).toBeLessThan(limits.backlogBytesMax + 2 * limits.tailBytesMax)
  slow.connection.release('down')
  const head = world.hub.status().rooms[0]?.head?.seq ?? 0
  for (let i = 0; i < 1_000 && slow.cursor?.seq !== head; i++) await settle()
  expect(slow.cursor?.seq).toBe(head)
  const read = textsOf(slow.updates)
  expect(Object.keys(read)).toHaveLength(KEYS)
  expect(Object.values(read).map((said) => Math.floor(Number.parseInt(said) / (COMMITS - KEYS)))).toEqual(
    Array.from({ length: KEYS }, () => 1),
  )
  expect(world.hub.metrics().sessions).toBe(2)
}, 300_000)
