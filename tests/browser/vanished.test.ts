// Storage that vanishes: deleted under a running replica, cleared, or gone at the next opening.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noteWritten } from './notes-domain.ts'
import { closing, program } from './suite.ts'
import { Tab } from './tab.ts'
import { digestOf, idsOf, openBrowserWorld, openHubSide, type BrowserWorld } from './world.ts'

describe.skipIf(program === null)('a store that vanishes in a browser', () => {
  let world: BrowserWorld
  beforeAll(async () => {
    world = await openBrowserWorld()
  })
  afterAll(() => world.close())

  async function tab(path = '/', origin = world.server.origin): Promise<Tab> {
    return closing(await Tab.open(world.chromium.context, origin, path))
  }

  test('[1] [4] gone at the next opening, a new replica takes its place, fetches everything, and tells how much is lost', async () => {
    const { hub, replica } = closing(await openHubSide(world.folder))
    const page = await tab()
    const lost = await page.call('open', { name: 'gone', hub: hub.url })
    await page.call('write', ['sent'])
    await page.call('syncOnce')
    await page.call('write', ['a', 'b', 'c'])
    await page.call('close')
    expect(await (await tab('/blank')).deleteDatabase('rejoin-gone')).toBe('deleted')
    await page.page.reload()
    const found = await page.call('open', { name: 'gone', hub: hub.url })
    expect(found.id).not.toBe(lost.id)
    expect(await page.call('status')).toMatchObject({ localStateLost: { replica: lost.id, pending: 3 } })
    await replica.apply(noteWritten('d')).saved
    await replica.syncOnce()
    await page.call('write', ['e'])
    await page.call('syncOnce')
    await replica.syncOnce()
    expect(idsOf(replica).toSorted()).toEqual(['d', 'e', 'sent'])
    expect(await page.call('digest')).toBe(digestOf(replica))
    // Told once: what is there now is the replica that was noted.
    await page.page.reload()
    expect(await page.call('open', { name: 'gone' })).toMatchObject({ id: found.id })
    expect(await page.call('status')).toMatchObject({ localStateLost: null })
    expect(page.uncaught).toEqual([])
  })

  test('with nothing noted of it, it is a new replica and nothing else', async () => {
    const page = await tab()
    await page.call('open', { name: 'cleared' })
    await page.call('write', ['a'])
    await page.call('close')
    const blank = await tab('/blank')
    await blank.deleteDatabase('rejoin-cleared')
    await blank.page.evaluate('localStorage.clear()')
    await page.page.reload()
    await page.call('open', { name: 'cleared' })
    expect(await page.call('status')).toMatchObject({ localStateLost: null, pending: 0 })
  })

  test('[4] deleted by another tab under a live replica, it is told at once, and nothing is sent that is not saved', async () => {
    const { hub, replica } = closing(await openHubSide(world.folder))
    const page = await tab()
    const lost = await page.call('open', { name: 'deleted', hub: hub.url, live: true })
    await page.call('write', ['a'])
    await page.until('status', ({ pending }) => pending === 0)
    expect(await (await tab('/blank')).deleteDatabase('rejoin-deleted')).toBe('deleted')
    // Before anybody writes.
    await page.until('status', ({ persistence }) => persistence !== 'ok')
    expect(await page.call('status')).toMatchObject({
      persistence: {
        state: 'lost',
        cause: {
          code: 'STORE_CLOSED',
          message: expect.stringContaining('was deleted by another tab') as string,
        },
      },
    })
    expect(await page.call('write', ['b', 'c'])).toEqual({ saved: ['STORE_CLOSED', 'STORE_CLOSED'] })
    expect(await page.call('ids')).toEqual(['a', 'b', 'c'])
    await replica.apply(noteWritten('d')).saved
    await replica.syncOnce()
    await page.until('ids', (ids) => ids.includes('d'))
    await replica.syncOnce()
    expect(idsOf(replica).toSorted()).toEqual(['a', 'd'])
    expect(await page.call('outbox')).toEqual([
      { counter: 2, stage: 'unsaved' },
      { counter: 3, stage: 'unsaved' },
    ])
    await expect(page.call('close')).rejects.toMatchObject({
      code: 'STORE_CLOSED',
      message: expect.stringContaining('2 commits are not saved') as string,
    })
    await page.page.reload()
    await page.call('open', { name: 'deleted', hub: hub.url })
    expect(await page.call('status')).toMatchObject({ localStateLost: { replica: lost.id, pending: 2 } })
    await page.call('syncOnce')
    expect((await page.call('ids')).toSorted()).toEqual(['a', 'd'])
    expect(page.uncaught).toEqual([])
  })

  test('[4] cleared by the browser under a replica, it is told at once, and no hub is told more than is saved', async () => {
    const { origin } = await world.anotherOrigin()
    const { hub, replica } = closing(await openHubSide(world.folder))
    const page = await tab('/', origin)
    await page.call('open', { name: 'cleared', hub: hub.url })
    await page.call('write', ['a'])
    const session = await world.chromium.context.newCDPSession(page.page)
    await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' })
    const { persistence } = await page.until('status', (status) => status.persistence !== 'ok')
    expect(persistence).toMatchObject({ state: 'lost', cause: { code: 'STORE_CLOSED' } })
    expect(await page.call('write', ['b'])).toEqual({ saved: ['STORE_CLOSED'] })
    expect(await page.call('ids')).toEqual(['a', 'b'])
    await expect(page.call('syncOnce')).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    await replica.syncOnce()
    expect(idsOf(replica)).toEqual([])
    expect(page.uncaught).toEqual([])
  })
})
