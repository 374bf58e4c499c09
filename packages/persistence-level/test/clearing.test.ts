/** What a trim drops is deleted a little at a time: whoever appends meanwhile waits for a little of it, never for all. */
import { describe, expect, test } from 'vitest'
import { openHubStore, type LevelDatabase } from '../src/index.ts'
import { aroundBatches, TestDatabase } from './databases.ts'

const bytes = (...values: number[]) => new Uint8Array(values)
const RECORDS = 1_000

/** A store whose log `large` has a checkpoint at its head. */
async function openLarge(): Promise<{
  held: TestDatabase
  store: Awaited<ReturnType<typeof openHubStore>>
}> {
  const held = new TestDatabase()
  const store = await openHubStore(held.database, { incarnation: 'x' })
  for (let seq = 0; seq < RECORDS; seq++) await store.append('large', seq, bytes(seq % 256))
  await store.installCheckpoint('large', { seq: RECORDS, marks: bytes(1), snapshot: bytes(2) })
  return { held, store }
}

/** Puts `around` in the way of every deletion of a range. */
function aroundClears(database: LevelDatabase, around: (clear: () => Promise<void>) => Promise<void>): void {
  // The private half of an abstract-level database, which its types leave out.
  const clear = Reflect.get(database, '_clear') as (...args: unknown[]) => Promise<void>
  Reflect.set(database, '_clear', (options: unknown) => around(() => clear.call(database, options)))
}

async function countRecords({ database }: TestDatabase): Promise<number> {
  const keys = await database.keys({ gt: 'hub!record!large!', lt: 'hub!record!large!~' }).all()
  return keys.length
}

describe('clearing', () => {
  test('[14] appends pass between the deletions of a trim, and closing waits for the last of them', async () => {
    const { held, store } = await openLarge()
    const order: ('cleared' | 'written')[] = []
    const appended: Promise<unknown>[] = []
    let fiveBegun = () => {}
    const begun = new Promise<void>((resolve) => (fiveBegun = resolve))
    aroundClears(held.database, async (clear) => {
      await clear()
      order.push('cleared')
      if (appended.length < 5) appended.push(store.append(`room-${appended.length}`, 0, bytes(1)))
      else fiveBegun()
    })
    aroundBatches(held.database, async (write) => {
      await write()
      order.push('written')
    })
    expect(await store.trim('large', RECORDS)).toEqual({ floor: RECORDS - 1, head: RECORDS })
    await begun
    await store.close()
    await Promise.all(appended)
    // The trim's own batch, some deletions, an append, others, ...
    expect(order.indexOf('written', 1)).toBeLessThan(order.lastIndexOf('cleared') - 3)
    expect(order.filter((what) => what === 'cleared').length).toBeGreaterThan(5)
    await held.database.open()
    expect(await countRecords(held)).toBe(1)
  })

  test('[13] a namespace that is removed and appended to meanwhile is gone', async () => {
    const { held, store } = await openLarge()
    await store.trim('large', RECORDS - 1)
    const removing = store.remove('large')
    const creating = store.append('large', 0, bytes(9))
    await removing
    expect(await creating).toEqual({ kind: 'moved', head: 0 })
    await store.close()
    const reopened = await openHubStore(held.database, { incarnation: 'x' })
    expect(await reopened.state('large')).toBe('removed')
    expect(await countRecords(held)).toBe(0)
    await reopened.close()
  })

  test('[St5] deletions that fail are left, nobody hears of it, and the next trim does them', async () => {
    const { held, store } = await openLarge()
    let fails = true
    let cleared = 0
    aroundClears(held.database, async (clear) => {
      if (fails && ++cleared > 3) throw new Error('IO error: input/output error')
      await clear()
    })
    await store.trim('large', RECORDS / 2)
    await store.append('large', RECORDS, bytes(7))
    expect(await store.readTail('large', RECORDS - 1, { records: 9, bytes: 99 })).toMatchObject({
      records: [{ seq: RECORDS }, { seq: RECORDS + 1 }],
    })
    expect(await store.readTail('large', 0, { records: 9, bytes: 99 })).toMatchObject({ kind: 'gap' })
    fails = false
    await store.trim('large', RECORDS - 1)
    await store.close()
    await held.database.open()
    expect(await countRecords(held)).toBe(2)
  })
})
