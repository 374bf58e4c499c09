// Every pushed commit is answered exactly once on the connection that pushed it, whatever else is pushed in its replica's name:
// over several connections, again, out of order, over dead ones. And each commit is in the log once.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MapHubStore } from '@rejoin/testkit'
import { commitName } from '@rejoin/core'
import { walkLog } from '../src/log.ts'
import { Author, Line, NAMESPACE, openWorld, settle } from './world.ts'

const COMMITS = 10
const LINES = 3

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      line: fc.nat(LINES - 1),
      from: fc.nat(COMMITS - 1),
      count: fc.integer({ min: 1, max: 4 }),
      waits: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), line: fc.nat(LINES - 1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('checkpoint' as const) }) },
)

test('[3] [5] each push is answered once, and each commit logged once, over any connections in any order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const store = new MapHubStore()
      const world = openWorld({ store, checkpoint: { bytesMin: 1 }, retention: { commits: 1_000 } })
      const author = new Author(world.clock)
      const commits = Array.from({ length: COMMITS }, (_, i) => author.note(`n${i}`))
      const pushed: number[][] = []
      const lines: Line[] = []
      const open = async (at: number): Promise<void> => {
        lines[at] = new Line(world).hello(author)
        pushed[at] = []
        await settle()
      }
      for (let at = 0; at < LINES; at++) await open(at)
      for (const one of steps) {
        if (one.do === 'checkpoint') await world.hub.checkpoint(NAMESPACE).catch(() => {})
        else if (one.do === 'cut') {
          lines[one.line]?.connection.cut()
          await open(one.line)
        } else {
          const some = commits.slice(one.from, one.from + one.count)
          lines[one.line]?.push(null, ...some)
          pushed[one.line]?.push(...some.map(({ counter }) => counter))
          if (one.waits) await settle()
        }
      }
      await settle()
      for (const [at, line] of lines.entries()) {
        const answers = [...line.of('Ack'), ...line.of('Refused')].map(({ counter }) => counter)
        expect(answers.map(String).toSorted()).toEqual(pushed[at]?.map(String).toSorted())
        // What does not follow is put off, never refused for good.
        for (const refused of line.of('Refused'))
          expect(refused).toMatchObject({ code: 'PUSH_GAP', retryable: true })
      }
      const logged: string[] = []
      if ((await store.heads([NAMESPACE])).has(NAMESPACE)) {
        for await (const { record } of walkLog(store, NAMESPACE, { seq: 0, tag: null })) {
          if (record.kind === 'commits') logged.push(...record.commits.map(({ id }) => commitName(id)))
        }
      }
      expect(new Set(logged).size).toBe(logged.length)
      const acked = new Set(lines.flatMap((line) => line.of('Ack').map(({ counter }) => counter)))
      for (const counter of acked) expect(logged).toContain(commitName({ replica: author.replica, counter }))
      await world.hub.close()
    }),
    { numRuns: 60 },
  )
})
