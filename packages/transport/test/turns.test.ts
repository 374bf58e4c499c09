// What comes at once is done in portions, so that others come in between: upgrades.
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { Portions } from '../src/server/portions.ts'
import { Upgrades } from '../src/server/upgrades.ts'

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('[14] so many in one turn, the rest in order in the turns after it, and never more than may wait', () => {
  const turns: (() => void)[] = []
  const portions = new Portions({ perTurn: 3, waitingMax: 5, nextTurn: (act) => turns.push(act) })
  const done: number[] = []
  const took = Array.from({ length: 10 }, (_, i) => portions.take(() => void done.push(i)))
  expect(took.filter((each) => each)).toHaveLength(8)
  expect(done).toEqual([0, 1, 2])
  turns.shift()?.()
  expect(done).toEqual([0, 1, 2, 3, 4, 5])
  expect(portions.take(() => void done.push(10))).toBe(true)
  turns.shift()?.()
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 10])
  turns.shift()?.()
  // Nothing is asked of the loop while nothing comes.
  expect(turns).toEqual([])
  expect(portions.take(() => void done.push(11))).toBe(true)
  expect(done.at(-1)).toBe(11)
  expect(turns).toHaveLength(1)
})

test('[14] [G7] of upgrades that come at once sixteen are judged in a turn; above a thousand that wait one is refused', async () => {
  let judged = 0
  const refused: string[] = []
  const upgrades = new Upgrades(
    () => {
      judged++
      return Promise.resolve()
    },
    (event) => void refused.push(event.event === 'refused' ? event.code : event.event),
  )
  const sockets = Array.from({ length: 1_017 }, () => new PassThrough())
  const come = (socket: PassThrough): void => upgrades.take({} as IncomingMessage, socket, Buffer.alloc(0))
  for (const socket of sockets) come(socket)
  expect(judged).toBe(16)
  expect(refused).toEqual(['RATE_LIMITED'])
  expect(String(sockets.at(-1)?.read())).toMatch(/^HTTP\/1\.1 503 .*"retryAfterMs":\d+/s)
  for (const socket of sockets.slice(16, 24)) socket.destroy()
  await nextTurn()
  expect(judged).toBe(24)
  upgrades.terminate()
  for (let turn = 0; turn < 70; turn++) await nextTurn()
  // Who has gone is not looked at.
  expect(judged).toBe(24)
  expect(refused).toHaveLength(1)
})
