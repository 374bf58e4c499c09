/** Who claims to be ahead of the log makes a hub look again; many who do make it look no oftener. */
import { expect, test } from 'vitest'
import { limits, SyncError, type Namespace } from '@rejoin/core'
import { MapHubStore, VirtualClock } from '@rejoin/testkit'
import { LookRounds } from '../src/look-rounds.ts'
import { Author, Line, NAMESPACE, openWorld, pass, settle } from './world.ts'

/** Counts how often it is asked where logs end, and read. */
class CountingStore extends MapHubStore {
  headsAsked = 0
  tails = 0

  override heads(namespaces: readonly Namespace[]) {
    this.headsAsked++
    return super.heads(namespaces)
  }

  override readTail(...args: Parameters<MapHubStore['readTail']>) {
    this.tails++
    return super.readTail(...args)
  }
}

async function ahead() {
  const clock = new VirtualClock(1)
  const store = new CountingStore()
  const world = openWorld({ store, clock })
  const ada = new Author(clock)
  const line = new Line(world).hello(ada)
  await settle()
  line.push(null, ada.note('n1'))
  await settle()
  const { cursor } = line
  if (cursor === null) throw new Error('no cursor')
  store.headsAsked = store.tails = 0
  const greet = () => new Line(world).hello(new Author(clock), { ...cursor, seq: 100 })
  return { clock, store, greet }
}

test('[14] fifty who are ahead of the log at once cost it the reads of one, and each is told', async () => {
  const [one, many] = [await ahead(), await ahead()]
  const alone = one.greet()
  await pass(one.clock, 1_000)
  const lines = Array.from({ length: 50 }, () => many.greet())
  await pass(many.clock, 1_000)
  for (const { story } of [alone, ...lines]) expect(story).toContain('Refused:room:HISTORY_DIVERGED')
  expect(many.store.headsAsked).toBe(one.store.headsAsked)
  expect(many.store.tails).toBe(one.store.tails)
})

test('[14] those who keep coming with it make a room read no oftener than its bound says', async () => {
  const { clock, store, greet } = await ahead()
  const lines: Line[] = []
  for (let ms = 0; ms < 2_000; ms += 10) {
    lines.push(greet(), greet())
    await settle()
    clock.advance(10)
  }
  expect(store.headsAsked).toBeLessThanOrEqual(2_000 / limits.storeRetryMsMin + 1)
  expect(store.tails).toBeLessThanOrEqual(2_000 / limits.storeRetryMsMin + 1)
  await pass(clock, 3_000)
  for (const { story } of lines) expect(story).toContain('Refused:room:HISTORY_DIVERGED')
})

test('[6] who asks while a look is under way is not told what was read before', async () => {
  const clock = new VirtualClock(1)
  const store = new CountingStore()
  let looks = 0
  let end = (): void => {}
  const look = () => new Promise<void>((resolve) => (looks++, (end = resolve)))
  const rounds = new LookRounds(
    { namespace: NAMESPACE, look, opened: () => Promise.resolve() },
    { store, clock },
  )
  const first = rounds.look()
  await settle()
  const [second, third] = [rounds.look(), rounds.look()]
  expect(second).not.toBe(first)
  expect(third).toBe(second)
  end()
  await first
  await pass(clock, limits.storeRetryMsMin)
  expect(looks).toBe(2)
  end()
  const round = await second
  expect(await Promise.all([round.storeHead(), round.storeHead()])).toEqual([0, 0])
  expect(store.headsAsked).toBe(1)
})

test('[6] a round that fails is told to those who asked for it, and the next is another', async () => {
  const clock = new VirtualClock(1)
  let failing = true
  const opened = () =>
    failing ? Promise.reject(new SyncError('STORE_UNAVAILABLE', 'away')) : Promise.resolve()
  const room = { namespace: NAMESPACE, look: () => Promise.resolve(), opened }
  const rounds = new LookRounds(room, { store: new CountingStore(), clock })
  const asked = [rounds.look(), rounds.look()]
  for (const round of asked) await expect(round).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  failing = false
  const next = rounds.look()
  await pass(clock, limits.storeRetryMsMin)
  expect(await (await next).storeHead()).toBe(0)
})
