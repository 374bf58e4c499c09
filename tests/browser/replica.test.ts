// A replica in IndexedDB, in a real Chromium, against a real hub.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { todo } from '@rejoin/examples/todo'
import { startHub } from 'rejoin'
import { noteWritten } from './notes-domain.ts'
import { closing, program } from './suite.ts'
import { Tab } from './tab.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { digestOf, idsOf, openBrowserWorld, openHubSide, type BrowserWorld } from './world.ts'

describe.skipIf(program === null)('a replica in a browser', () => {
  let world: BrowserWorld
  beforeAll(async () => {
    world = await openBrowserWorld()
  })
  afterAll(() => world.close())

  async function tab(path = '/', origin = world.server.origin): Promise<Tab> {
    return closing(await Tab.open(world.chromium.context, origin, path))
  }

  test('[4] what was written offline outlives a reload, is pushed once, and converges with a replica in Node', async () => {
    const { hub, replica } = closing(await openHubSide(world.folder))
    const page = await tab()
    const first = await page.call('open', { name: 'offline', hub: hub.url })
    expect(await page.call('write', ['a', 'b'])).toEqual({ saved: ['durable', 'durable'] })
    await page.page.reload()
    const second = await page.call('open', { name: 'offline', hub: hub.url })
    expect(second).toMatchObject({ id: first.id, namespaces: ['home'] })
    expect(await page.call('status')).toMatchObject({ pending: 2, localStateLost: null, persistence: 'ok' })
    await replica.apply(noteWritten('c')).saved
    await replica.syncOnce()
    expect(await page.call('syncOnce')).toMatchObject({ pushed: 2, applied: 1 })
    await replica.syncOnce()
    expect(idsOf(replica).toSorted()).toEqual(['a', 'b', 'c'])
    expect((await page.call('ids')).toSorted()).toEqual(['a', 'b', 'c'])
    expect(await page.call('digest')).toBe(digestOf(replica))
    expect(page.uncaught).toEqual([])
  })

  test("the README's sample runs in it, and hears that the hub has what it wrote", async () => {
    const data = closing(await temporaryFolder()).path
    const hub = closing(await startHub({ data, domains: [todo], port: 0 }))
    const page = await tab()
    expect(await page.call('example', hub.url)).toEqual({ acked: 'durable', told: [] })
    expect(page.uncaught).toEqual([])
  })

  test('[4] what is made here is written strictly, what a hub tells again is not', async () => {
    const { hub, replica } = closing(await openHubSide(world.folder))
    const page = await tab()
    await page.call('open', { name: 'strict', hub: hub.url })
    // Its identity.
    expect(await page.call('transactions')).toEqual({ strict: 1, relaxed: 0, default: 0 })
    await page.call('write', ['a', 'b', 'c'])
    expect(await page.call('transactions')).toEqual({ strict: 3, relaxed: 0, default: 0 })
    await page.call('syncOnce')
    // That they may have been sent has to be known before they are.
    expect(await page.call('transactions')).toMatchObject({ strict: 1, default: 0 })
    for (const id of ['d', 'e', 'f']) await replica.apply(noteWritten(id)).saved
    await replica.syncOnce()
    expect(await page.call('syncOnce')).toMatchObject({ applied: 3 })
    await page.call('flush')
    const counts = await page.call('transactions')
    expect(counts).toMatchObject({ strict: 0, default: 0 })
    expect(counts.relaxed).toBeGreaterThan(0)
    expect(page.uncaught).toEqual([])
  })

  test('opened not to wait for the disk, it says applied, and writes nothing strictly', async () => {
    const page = await tab()
    await page.call('open', { name: 'never', sync: 'never' })
    expect(await page.call('write', ['a'])).toEqual({ saved: ['applied'] })
    expect(await page.call('status')).toMatchObject({ saved: 'applied' })
    expect(await page.call('transactions')).toEqual({ strict: 0, relaxed: 2, default: 0 })
  })

  test('[14] a second tab is refused until the first has closed, and told what to do', async () => {
    const first = await tab()
    await first.call('open', { name: 'tabs' })
    const second = await tab()
    const refusal = second.call('open', { name: 'tabs' })
    await expect(refusal).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining(
        'is open in another tab, window or worker: use that one, or close it',
      ) as string,
    })
    await expect(first.call('open', { name: 'tabs' })).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    expect(await first.call('write', ['a'])).toEqual({ saved: ['durable'] })
    await first.page.close()
    await second.call('open', { name: 'tabs' })
    expect(await second.call('ids')).toEqual(['a'])
    await second.call('close')
    const third = await tab()
    await third.call('open', { name: 'tabs' })
    expect(second.uncaught).toEqual([])
  })

  test('[14] a tab whose lock is stolen writes nothing more, and says so at once', async () => {
    const page = await tab()
    await page.call('open', { name: 'stolen' })
    const blank = await tab('/blank')
    await blank.page.evaluate(
      `void navigator.locks.request('rejoin-stolen', { steal: true }, () => new Promise(() => {}))`,
    )
    const { persistence } = await page.until('status', (status) => status.persistence !== 'ok')
    expect(persistence).toMatchObject({ state: 'lost', cause: { code: 'STORE_LOCKED' } })
    expect(await page.call('write', ['a'])).toEqual({ saved: ['STORE_LOCKED'] })
    expect(page.uncaught).toEqual([])
  })

  test.each(['granted', 'denied'] as const)(
    'the browser is asked to keep what is stored, and that it is %s is told',
    async (setting) => {
      const { origin } = await world.anotherOrigin()
      const page = await tab('/', origin)
      const session = await world.chromium.context.newCDPSession(page.page)
      await session.send('Browser.setPermission', {
        origin,
        permission: { name: 'persistent-storage' },
        setting,
      })
      expect(await page.call('open', { name: 'asked' })).toMatchObject({ persistence: setting })
    },
  )

  test('[4] on a full quota writes are refused with STORE_FULL, reads go on, and with room again it goes on by itself', async () => {
    const { origin } = await world.anotherOrigin()
    const page = await tab('/', origin)
    const session = await world.chromium.context.newCDPSession(page.page)
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 2_000_000 })
    await page.call('open', { name: 'full' })
    // What can be compressed takes no room.
    const text = randomBytes(75_000).toString('base64')
    const written: string[] = []
    let level: string | undefined
    // Chromium looks how much room is left only now and then.
    do {
      const id = `large-${written.length}`
      level = (await page.call('write', [id], text)).saved[0]
      written.push(id)
    } while (level === 'durable' && written.length < 100)
    expect(level).toBe('STORE_FULL')
    expect(await page.call('status')).toMatchObject({
      persistence: { state: 'degraded', cause: { code: 'STORE_FULL' }, count: 1 },
    })
    expect((await page.call('ids')).length).toBe(written.length)
    await session.send('Storage.overrideQuotaForOrigin', { origin })
    await page.until('status', ({ persistence }) => persistence === 'ok')
    await page.page.reload()
    await page.call('open', { name: 'full' })
    expect((await page.call('ids')).length).toBe(written.length)
    expect(page.uncaught).toEqual([])
  })
})
