// The queue of what the store has not taken yet, to the letter of DESIGN section 5: ordered, bounded, told, and never silent.
import { commitName, SyncError, type ErrorCode } from '@rejoin/core'
import { UnsavedError, type ReplicaStatus } from '@rejoin/replica'
import { VirtualClock } from '@rejoin/testkit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  bytesOf,
  caughtUp,
  codeOf,
  cursor,
  itemSet,
  listAdded,
  openTodo,
  Peer,
  refused,
  ScriptedHub,
  ShakyStore,
  tail,
  titled,
  turn,
  until,
  welcome,
} from './support.ts'

const failing = (code: ErrorCode): SyncError => new SyncError(code, `${code} it is`)

async function shaky(withHub = false) {
  const store = new ShakyStore()
  const clock = new VirtualClock(1)
  const hub = new ScriptedHub(clock)
  const replica = await openTodo({ store, clock, ...(withHub ? { dial: hub.dial } : {}) })
  return { store, clock, hub, replica }
}

/** The bounds are those of real machines: for the tests they are moved. */
const moved = vi.hoisted(() => ({ steps: 250_000, bytes: 64 * 1024 * 1024 }))
vi.mock('@rejoin/core', async (importOriginal) => {
  const core = await importOriginal<typeof import('@rejoin/core')>()
  return {
    ...core,
    limits: Object.defineProperties(
      { ...core.limits },
      {
        pendingStepsMax: { get: () => moved.steps, enumerable: true },
        pendingBytesMax: { get: () => moved.bytes, enumerable: true },
      },
    ),
  }
})
beforeEach(() => Object.assign(moved, { steps: 250_000, bytes: 64 * 1024 * 1024 }))

describe('a store that is lost to this process', () => {
  test.each<ErrorCode>(['STORE_LOCKED', 'STORE_CORRUPT', 'STORE_CLOSED', 'FORMAT_TOO_NEW', 'FOLDER_FOREIGN'])(
    'after %s it is not asked again, and reads and writes go on in memory',
    async (code) => {
      const { store, clock, replica } = await shaky()
      store.failing = failing(code)
      expect(await codeOf(replica.apply(listAdded('a')).saved)).toBe(code)
      expect(replica.status.persistence).toMatchObject({ state: 'lost', cause: { code }, count: 2 })
      // It would take it now; but what it is by now nobody here can know.
      store.failing = null
      const before = store.batches
      const later = replica.apply(listAdded('b'))
      expect(await codeOf(later.saved)).toBe(code)
      expect(await codeOf(replica.flush())).toBe(code)
      for (let i = 0; i < 20; i++) {
        clock.advance(60_000)
        await turn()
      }
      expect(store.batches).toBe(before)
      expect(replica.tables.lists.size).toBe(2)
      expect(replica.status.persistence).toMatchObject({ state: 'lost', count: 3 })
      const commits = replica.outbox.map(({ id, ops }) => ({ id, ops }))
      await expect(replica.close()).rejects.toMatchObject({ code, commits })
    },
  )

  test.each<ErrorCode>(['STORE_UNAVAILABLE', 'STORE_FULL'])('%s does not lose it', async (code) => {
    const { store, replica } = await shaky()
    store.failing = failing(code)
    expect(await codeOf(replica.apply(listAdded('a')).saved)).toBe(code)
    expect(replica.status.persistence).toMatchObject({ state: 'degraded', cause: { code } })
    store.failing = null
    await replica.flush()
    expect(replica.status.persistence).toBe('ok')
  })

  test('what was queued during the last attempt is told as well, and so is who waits for it', async () => {
    const { store, replica } = await shaky()
    store.slow = true
    replica.apply(listAdded('a'))
    await turn()
    const second = replica.apply(listAdded('b'))
    const flushed = replica.flush()
    store.failing = failing('STORE_LOCKED')
    store.slow = false
    store.letRecord()
    expect(await codeOf(second.saved)).toBe('STORE_LOCKED')
    expect(await codeOf(flushed)).toBe('STORE_LOCKED')
    await expect(replica.close()).rejects.toThrow(UnsavedError)
  })

  test('[4] nothing is sent, not even what was saved before', async () => {
    const { store, hub, replica } = await shaky(true)
    await replica.apply(listAdded('a')).saved
    const line = await hub.line(0)
    store.failing = failing('STORE_LOCKED')
    replica.apply(listAdded('b'))
    await turn()
    line.say(welcome('unknown'), caughtUp(null))
    await until('live', () => replica.status.state === 'live')
    expect(await line.pushes()).toEqual([])
    await replica.close().catch(() => {})
  })
})

describe('[14] where too much waits', () => {
  test.each([
    ['commits', (): void => void (moved.steps = 4)],
    ['bytes', (): void => void (moved.bytes = 300)],
  ])('in %s, apply is refused with the store’s code and nothing is changed', async (_, bound) => {
    const { store, replica } = await shaky()
    bound()
    store.failing = failing('STORE_FULL')
    let made = 0
    const fill = (): void => {
      for (;;) replica.apply(listAdded(`list-${made++}`, 'x'.repeat(100)))
    }
    expect(fill).toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }))
    await turn()
    const [bytes, outbox] = [bytesOf(replica), replica.outbox]
    expect(fill).toThrow(expect.objectContaining({ code: 'STORE_FULL' }))
    expect(() => replica.apply([titled('list-0', 'no')])).toThrow(/too much waits for the store, \d+ steps/)
    expect(bytesOf(replica)).toBe(bytes)
    expect(replica.outbox).toEqual(outbox)
    expect(outbox.length).toBeGreaterThan(0)
    store.failing = null
    await replica.flush()
    await replica.apply(listAdded('again')).saved
    expect((await store.load())?.outbox).toHaveLength(outbox.length + 1)
  })

  test('what others write takes no room of what is written here, nor the other way round', async () => {
    const { store, hub, clock, replica } = await shaky(true)
    const peer = new Peer(clock)
    const line = await hub.line(0)
    line.say(welcome('tail'))
    store.failing = failing('STORE_FULL')
    moved.bytes = 100
    line.say(tail(cursor(1), peer.commit(listAdded('a', 'x'.repeat(150)))))
    await until('it came', () => replica.tables.lists.has('a'))
    replica.apply(listAdded('b', 'x'.repeat(150)))
    expect(replica.tables.lists.size).toBe(2)
    expect(() => replica.apply(listAdded('c'))).toThrow(/too much waits/)
    line.say(tail(cursor(2), peer.commit(listAdded('d'))))
    // It is not read on, and the hub is asked again.
    await until('left', () => line.ended)
    expect(replica.status.lastError).toMatchObject({ code: 'STORE_FULL' })
    expect(replica.tables.lists.has('d')).toBe(false)
    await replica.close().catch(() => {})
  })

  test('a store that is merely slow holds up what is read, and the session goes on', async () => {
    const { store, hub, clock, replica } = await shaky(true)
    const peer = new Peer(clock)
    const line = await hub.line(0)
    await turn()
    store.slow = true
    moved.bytes = 100
    line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('a', 'x'.repeat(150)))))
    line.say(tail(cursor(2), peer.commit(listAdded('b'))), caughtUp(cursor(2)))
    await until('it came', () => replica.tables.lists.has('a'))
    await turn()
    expect(replica.tables.lists.has('b')).toBe(false)
    expect(line.ended).toBe(false)
    store.slow = false
    store.letRecord()
    await until('live', () => replica.status.state === 'live')
    expect(replica.tables.lists.has('b')).toBe(true)
    expect(hub.lines).toHaveLength(1)
    await replica.close()
  })

  test('attempts to reach a hub while the store fails do not pile up', async () => {
    const { store, clock, hub, replica } = await shaky(true)
    await turn()
    hub.reachable = false
    hub.lines[0]?.cut()
    store.failing = failing('STORE_FULL')
    replica.apply(listAdded('a'))
    const count = (): number => {
      const { persistence } = replica.status
      return persistence === 'ok' ? 0 : persistence.count
    }
    const attempts = new Set<number | null>()
    await until(
      'many attempts',
      () => attempts.add(replica.status.lastAttemptAt).size > 20,
      () => clock.advanceToNext(),
    )
    // The commit, the version of the domain that it brings, and the newest notes.
    expect(count()).toBe(3)
    await replica.close().catch(() => {})
  })
})

describe('closing with unsaved commits', () => {
  test('names them with the types of their ops, and has them whole', async () => {
    const { store, replica } = await shaky()
    await replica.apply(listAdded('kept')).saved
    store.failing = failing('STORE_FULL')
    const acked = replica.apply([listAdded('a'), listAdded('b'), itemSet('a', 'x')]).acked
    replica.apply(titled('a', 'two'))
    const [, second, third] = replica.outbox
    if (second === undefined || third === undefined) throw new Error('they are in the outbox')
    const error: unknown = await replica.close().catch((cause: unknown) => cause)
    if (!(error instanceof UnsavedError)) throw new Error(`not an UnsavedError: ${String(error)}`)
    expect(error).toMatchObject({ name: 'SyncError', code: 'STORE_FULL', retryable: true })
    expect(error.commits.map(({ id, ops }) => [id, ops])).toEqual([
      [second.id, second.ops],
      [third.id, third.ops],
    ])
    expect(error.message).toBe(
      `home was closed: 2 commits are not saved, ${commitName(second.id)} (2 ListAdded, ItemSet), ` +
        `${commitName(third.id)} (ListTitled); STORE_FULL it is`,
    )
    await expect(acked).rejects.toThrow(/it was not saved here either/)
    // What an app makes of it: the ops, applied anew.
    const again = await openTodo({ store: store.crash() })
    for (const { ops } of error.commits) again.apply(ops as never)
    expect(again.tables.lists.get('a')).toEqual({ title: 'two' })
  })

  test('names a dozen and counts the rest', async () => {
    const { store, replica } = await shaky()
    store.failing = failing('STORE_FULL')
    for (let i = 0; i < 15; i++) replica.apply(listAdded(`list-${i}`))
    const error: unknown = await replica.close().catch((cause: unknown) => cause)
    expect(error).toMatchObject({ commits: { length: 15 } })
    expect((error as UnsavedError).message).toMatch(/:12 \(ListAdded\) and 3 more; STORE_FULL it is$/)
  })

  test('does not name what is saved, in other bytes, nor what was withdrawn', async () => {
    const { store, replica } = await shaky()
    await replica.apply(listAdded('a')).saved
    await replica.apply(titled('a', 'saved')).saved
    store.failing = failing('STORE_FULL')
    // The base can be read: the first is withdrawn here, and the second made anew, which is not saved.
    expect(await codeOf(replica.withdraw(1))).toBe('STORE_FULL')
    expect(replica.outbox.map(({ id, stage }) => [id.counter, stage])).toEqual([[2, 'unsaved']])
    const error: unknown = await replica.close().catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code: 'STORE_FULL', commits: [] })
    expect((error as UnsavedError).message).toMatch(/every commit made here is saved, but not the last/)
  })
})

describe('without an unhandled rejection', () => {
  const unhandled: unknown[] = []
  const hear = (error: unknown): void => void unhandled.push(error)
  beforeEach(() => {
    unhandled.length = 0
    process.on('unhandledRejection', hear)
  })
  afterEach(() => {
    process.off('unhandledRejection', hear)
  })

  test('a withdrawal that nobody waits for may be overtaken by closing', async () => {
    const { replica } = await shaky()
    replica.apply(listAdded('a'))
    void replica.withdraw(1)
    await replica.close()
    await turn()
    expect(unhandled).toEqual([])
  })

  test('a store may fail a withdrawal and a discard that nobody waits for', async () => {
    const { store, hub, replica } = await shaky(true)
    const line = await hub.line(0)
    line.say(welcome('unknown'), caughtUp(null))
    await replica.apply(listAdded('a')).saved
    await line.next('Push')
    line.say(refused(1, 'ENTRY_INVALID'))
    await until('refused', () => replica.rejected.length === 1)
    await replica.flush()
    replica.disconnect()
    await turn()
    replica.apply(listAdded('b'))
    await replica.flush()
    store.failing = failing('STORE_FULL')
    void replica.withdraw(2)
    void replica.discard(1)
    await turn()
    expect(unhandled).toEqual([])
    await expect(replica.close()).rejects.toThrow(UnsavedError)
  })

  test('but a call that was wrong is told also where nobody waits', async () => {
    const { replica } = await shaky()
    void replica.withdraw(7)
    await turn()
    expect(unhandled).toMatchObject([{ code: 'INPUT_INVALID' }])
  })
})

describe('who listens to the status', () => {
  const watching = async () => {
    const opened = await shaky(true)
    const heard: ReplicaStatus[] = []
    opened.replica.onStatus((status) => heard.push(status))
    return { ...opened, heard }
  }
  const textOf = (status: ReplicaStatus): string => JSON.stringify({ ...status, conflicts: null })

  test('hears of it when something in it is different, and only then', async () => {
    const { store, hub, clock, replica, heard } = await watching()
    const peer = new Peer(clock)
    const line = await hub.line(0)
    line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('a'))), caughtUp(cursor(1)))
    await until('live', () => replica.status.state === 'live')
    replica.apply(titled('a', 'mine'))
    line.say(tail(cursor(2), peer.commit(titled('a', 'theirs'))))
    await turn()
    store.failing = failing('STORE_FULL')
    replica.apply(listAdded('b'))
    await turn()
    store.failing = null
    await replica.flush()
    await replica.close()
    const texts = heard.map(textOf)
    expect(texts.filter((text, i) => text === texts[i - 1])).toEqual([])
    expect(texts.at(-1)).toBe(textOf(replica.status))
    expect(heard.map(({ state }) => state)).toContain('live')
  })

  test('hears of conflicts alone where it has read them, and not where it has not', async () => {
    const { store, hub, clock, replica } = await shaky(true)
    const peer = new Peer(clock)
    const heard: number[] = []
    let deaf = 0
    replica.onStatus(({ conflicts }) => heard.push(conflicts))
    replica.onStatus(() => deaf++)
    const line = await hub.line(0)
    line.say(welcome('tail'), tail(cursor(1), peer.commit(listAdded('a'))), caughtUp(cursor(1)))
    await until('live', () => replica.status.state === 'live')
    await replica.flush()
    replica.apply(titled('a', 'mine'))
    await turn()
    // Nothing is recorded, so that nothing but the content is different.
    store.slow = true
    const [before, deafBefore] = [heard.length, deaf]
    line.say(tail(cursor(2), peer.commit(titled('a', 'theirs'))))
    await turn()
    expect(replica.conflicts()).toHaveLength(1)
    expect(heard.slice(before)).toEqual([1])
    expect(deaf).toBe(deafBefore)
    store.slow = false
    store.letRecord()
    await replica.close()
  })
})
