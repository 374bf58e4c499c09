// What waits for all principals together: who has something waiting is behind while it is spent, who reads is not, and greetings
// of the former come one each second, in turn.
import { expect, test } from 'vitest'
import { limits } from '@rejoin/core'
import { VirtualClock } from '@rejoin/testkit'
import { Greetings } from '../src/server/greetings.ts'
import { OutgoingBudget } from '../src/server/outgoing-budget.ts'
import { Peers } from '../src/server/peers.ts'

const open = new Promise<never>(() => {})
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function world(bytesMax: number, principals: number) {
  const clock = new VirtualClock(1)
  const budget = new OutgoingBudget(clock, bytesMax)
  const all = Array.from({ length: principals }, () => new Greetings(100, clock, budget))
  const through: number[] = []
  const greet = (who: number): void => {
    void all[who]?.enter(open).then((leave) => {
      leave()
      through.push(who)
    })
  }
  return { clock, budget, all, through, greet }
}

test('[14] what waits for each adds up, and too much of all is too much of each', () => {
  const { budget, all } = world(250, 3)
  for (const each of all) each.changed(80)
  expect(all.map(({ isTooMuch }) => isTooMuch)).toEqual([false, false, false])
  expect(budget.bytes).toBe(240)
  all[0]?.changed(11)
  expect(all.map(({ isTooMuch }) => isTooMuch)).toEqual([true, true, true])
  all[1]?.changed(-1)
  expect(all.map(({ isTooMuch }) => isTooMuch)).toEqual([false, false, false])
})

test('[14] while it is spent, whoever has nothing waiting is greeted at once, the others one each second, in turn', async () => {
  const { clock, all, through, greet } = world(250, 4)
  for (const each of all.slice(0, 3)) each.changed(90)
  for (const who of [0, 1, 2, 0, 1, 2, 3]) greet(who)
  await settle()
  expect(through).toEqual([3])
  for (let second = 1; second <= 5; second++) {
    clock.advance(1_000)
    await settle()
    expect(through).toHaveLength(1 + second)
  }
  expect(through).toEqual([3, 0, 1, 2, 0, 1])
  // There is room again.
  all[0]?.changed(-90)
  await settle()
  expect(through).toEqual([3, 0, 1, 2, 0, 1, 2])
})

test('[14] one for whom most waits does not get what others leave, and keeps nobody waiting', async () => {
  const { clock, all, through, greet } = world(250, 2)
  greet(0)
  await settle()
  all[0]?.changed(300)
  for (const who of [0, 0, 1]) greet(who)
  await settle()
  expect(through).toEqual([0, 1])
  all[1]?.changed(1)
  greet(1)
  for (let second = 1; second <= 9; second++) {
    clock.advance(1_000)
    await settle()
    expect(through.filter((who) => who === 0)).toHaveLength(second < 9 ? 1 : 2)
    expect(through.filter((who) => who === 1)).toHaveLength(2)
  }
})

test('[14] who has read what waited is greeted, and who has gone keeps nobody waiting', async () => {
  const { clock, all, through, greet } = world(150, 2)
  for (const each of all) each.changed(90)
  let go = (): void => {}
  const gone = new Promise<void>((resolve) => (go = resolve))
  void all[0]?.enter(gone)
  greet(1)
  await settle()
  expect(through).toEqual([])
  go()
  await settle()
  for (let second = 0; second < 2; second++) {
    clock.advance(1_000)
    await settle()
  }
  expect(through).toEqual([1])
  greet(1)
  await settle()
  expect(through).toEqual([1])
  all[1]?.changed(-90)
  await settle()
  expect(through).toEqual([1, 1])
})

test('all that sit at one hub share one', () => {
  const peers = new Peers(new VirtualClock(1))
  const never = new AbortController().signal
  const enter = (id: string) => peers.enter({ id, expiresAt: null, revoked: never }, '10.0.0.1').greetings
  const [ada, bob] = [enter('ada'), enter('bob')]
  ada.changed(limits.outgoingBytesOfAllMax)
  expect(bob.isTooMuch).toBe(false)
  bob.changed(1)
  expect(ada.isTooMuch).toBe(true)
  expect(peers.outgoingBytes).toBe(limits.outgoingBytesOfAllMax + 1)
})
