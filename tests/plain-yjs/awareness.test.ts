// Awareness between unmodified providers and native replicas: shown, renewed, taken leave of, and never logged.
import { expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { withPlainWorld, type Page } from './world.ts'

function namesAt(page: Page): readonly string[] {
  return [...page.provider.awareness.getStates().values()]
    .flatMap((state) => (typeof state['name'] === 'string' ? [state['name']] : []))
    .toSorted()
}

test('providers and a native replica see each other, and who goes is gone at once', async () => {
  await withPlainWorld(async (world) => {
    const [ada, bob] = [world.page(), world.page()]
    const native = await world.native()
    await ada.synced()
    await bob.synced()
    const namesThere = (): readonly string[] =>
      [...native.awareness.states().values()]
        .map((state) => (state as { name?: string }).name ?? '')
        .toSorted()
    ada.provider.awareness.setLocalState({ name: 'ada' })
    bob.provider.awareness.setLocalState({ name: 'bob' })
    native.awareness.setLocal({ name: 'native' })
    const all = ['ada', 'bob', 'native']
    for (const page of [ada, bob]) await until('a page sees all', () => String(namesAt(page)) === String(all))
    await until('the native sees all', () => String(namesThere()) === String(all))
    // Without a word: its process is gone.
    bob.provider.shouldConnect = false
    ;(bob.provider.ws as unknown as { terminate(): void }).terminate()
    await until('bob is gone', () => !namesAt(ada).includes('bob') && !namesThere().includes('bob'))
    bob.provider.connect()
    await until('bob is back', () => namesAt(ada).includes('bob') && namesThere().includes('bob'))
    native.awareness.setLocal(null)
    await until('the native is gone', () => !namesAt(ada).includes('native'))
    const late = world.page()
    await until('who comes later sees them', () => namesAt(late).length === 2)
    expect(namesAt(late)).toEqual(['ada', 'bob'])
  })
}, 60_000)

test('presence in a namespace that does not exist creates none', async () => {
  await withPlainWorld(async (world) => {
    const [ada, bob] = [world.page(), world.page()]
    await ada.synced()
    await bob.synced()
    ada.provider.awareness.setLocalState({ name: 'ada' })
    await until('bob sees ada', () => namesAt(bob).includes('ada'))
    await expect(world.hub.verify('home')).rejects.toMatchObject({ code: 'NAMESPACE_UNKNOWN' })
  })
}, 60_000)
