// Random edits of two unmodified providers and one native replica, online and offline, over hubs that end, in order or not: all
// read the same in the end, and every commit is in the log once.
import { randomInt } from 'node:crypto'
import path from 'node:path'
import { expect, test } from 'vitest'
import { openClient } from 'rejoin'
import { todo } from '@rejoin/examples/todo'
import { commitName } from '@rejoin/core'
import { withFolder } from '../support/command.ts'
import { bundled } from '../support/bundle.ts'
import { startScript } from '../support/script.ts'
import { Seeded } from '../support/seeded.ts'
import { until, within } from '../support/until.ts'
import { NAMESPACE, Page, withPlainWorld, type Native } from './world.ts'

const seed = randomInt(2 ** 31)
const ids = ['a', 'b', 'c', 'd', 'e'] as const

interface Hand {
  readonly tables: Native['tables']
  apply(op: Parameters<Page['todo']['apply']>[0]): unknown
  conflicts(): readonly unknown[]
}

function editAt(hand: Hand, random: Seeded, name: string): void {
  const id = random.pick(ids)
  const isThere = hand.tables.lists.has(id)
  const kind = random.whole(0, 9)
  if (!isThere || kind < 4) hand.apply({ type: 'ListAdded', id, title: `${name} ${random.whole(0, 99)}` })
  else if (kind < 8)
    hand.apply({ type: 'ItemDone', list: id, item: random.pick(ids), text: `${name} ${random.whole(0, 99)}` })
  else hand.apply({ type: 'ListRemoved', id })
}

/** Everything that can be read, conflicts included. */
function readAt(hand: Hand): string {
  const { lists, items } = hand.tables
  return JSON.stringify([[...lists.entries()], [...items.entries()], hand.conflicts()])
}

function handOf(page: Page): Hand {
  return {
    tables: page.todo.tables,
    apply: (op) => page.todo.apply(op),
    conflicts: () => page.todo.conflicts(),
  }
}

function nativeHand(replica: Native): Hand {
  return {
    tables: replica.tables,
    apply: (op) => replica.apply(op),
    conflicts: () => replica.conflicts(),
  }
}

/** Then it does not come again, and there is nothing to wait for. */
function isRefused(pages: readonly Page[]): boolean {
  return pages.some(({ closed }) => closed.length > 0)
}

test('[1] [5] two providers and a native replica converge, whoever was away when', async () => {
  const random = new Seeded(seed)
  try {
    await withPlainWorld(async (world) => {
      const pages = [world.page(), world.page()]
      const native = await world.native()
      const hands = [...pages.map(handOf), nativeHand(native)]
      for (let step = 0; step < 120; step++) {
        const at = random.whole(0, 2)
        const page = pages[at]
        if (page !== undefined && random.chance(0.15)) {
          if (page.provider.shouldConnect) page.provider.disconnect()
          else page.provider.connect()
        } else if (step === 60) {
          await world.hub.close()
          await world.start()
        } else if (random.chance(0.2))
          await new Promise((resolve) => setTimeout(resolve, random.whole(0, 20)))
        const hand = hands[at]
        if (hand !== undefined) editAt(hand, random, `hand ${at}`)
      }
      for (const page of pages) page.provider.connect()
      await until(
        'all read the same',
        () => isRefused(pages) || (new Set(hands.map(readAt)).size === 1 && native.status.pending === 0),
        30_000,
      )
      for (const page of pages) expect(page.closed).toEqual([])
      const fresh = world.page()
      await until('so does a new page', () => readAt(handOf(fresh)) === readAt(nativeHand(native)), 10_000)
      expect((await world.hub.verify(NAMESPACE)).faults).toEqual([])
      const names = (await world.log()).map(({ id }) => commitName(id))
      expect(new Set(names).size).toBe(names.length)
    })
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error })
  }
}, 120_000)

test('[1] [5] a hub killed while providers write is caught up with by what they still hold', async () => {
  const random = new Seeded(seed)
  await withFolder(async (folder) => {
    const script = await bundled(path.join(import.meta.dirname, 'hub-process.ts'))
    let hub = startScript(script, [path.join(folder, 'hub'), '0'])
    const url = await within('the hub is ready', hub.first)
    const { port } = new URL(url)
    const pages = [new Page(url), new Page(url)]
    const client = await openClient({ data: path.join(folder, 'native'), hub: url })
    try {
      for (let kill = 0; kill < 4; kill++) {
        for (let edit = 0; edit < 15; edit++) {
          for (const [i, page] of pages.entries()) editAt(handOf(page), random, `page ${i}`)
          await new Promise((resolve) => setTimeout(resolve, random.whole(0, 8)))
        }
        await hub.stop('SIGKILL')
        for (const [i, page] of pages.entries()) editAt(handOf(page), random, `page ${i}`)
        hub = startScript(script, [path.join(folder, 'hub'), port])
        await within('the hub is back', hub.first)
      }
      const native = await client.open(todo, NAMESPACE)
      const hands = [...pages.map(handOf), nativeHand(native)]
      await until(
        'all read the same',
        () => isRefused(pages) || new Set(hands.map(readAt)).size === 1,
        30_000,
      )
      for (const page of pages) expect(page.closed).toEqual([])
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    } finally {
      for (const page of pages) page.destroy()
      await client.close()
      await hub.stop('SIGTERM')
    }
  })
}, 120_000)
