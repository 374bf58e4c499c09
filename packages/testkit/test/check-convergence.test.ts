// What a failure says, on worlds that are broken on purpose.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineDomain, map } from '@rejoin/core'
import {
  checkConvergence,
  ConvergenceError,
  type AcceptedCommit,
  type Step,
  type World,
} from '@rejoin/testkit'

const counters = defineDomain({
  name: 'counters',
  version: 1,
  tables: { counters: map({ key: z.string().min(1), value: z.number() }) },
  ops: (op) => ({
    Counted: op(z.object({ id: z.string(), to: z.number() }), (t, o) => t.counters.set(o.id, o.to)),
  }),
})
const arbitraries = { Counted: fc.record({ id: fc.constantFrom('a', 'b'), to: fc.nat(3) }) }
const openWorld = async (): Promise<World> => forgetfulWorld([])

test('a failure tells the broken rule, the shortest story and the call that replays it', async () => {
  const error = await failureOf({ seed: 7 })
  expect(error).toMatchObject({ rules: [4], seed: 7 })
  expect(error.message).toMatch(/replay it with \{ seed: 7, path: "[\d:]+" \}/)
  expect(error.message).toContain('[4] commit 0:1 was accepted and is nowhere')
  expect(error.message).toMatch(
    /by:\n {2}1\. replica \d applies Counted \{"id":"\w","to":\d\} -> commit 0:1$/,
  )
})

test('[15] the seed and path of a failure replay exactly its story', async () => {
  const error = await failureOf({ seed: 7 })
  const again = await failureOf({ seed: error.seed, path: error.path })
  expect(again.message.split('\n').slice(1)).toEqual(error.message.split('\n').slice(1))
  expect(again).toMatchObject({ seed: error.seed, path: error.path, runs: 1 })
})

test('shrink: false reports the first failing story as it was found', async () => {
  const [long, short] = [await failureOf({ seed: 7, shrink: false }), await failureOf({ seed: 7 })]
  expect(long.message.length).toBeGreaterThan(short.message.length)
})

test('kinds of steps that are left out are never taken', async () => {
  const taken: Step[] = []
  const healthy = async (): Promise<World> => ({ ...forgetfulWorld(taken), observe: async () => nothing })
  await checkConvergence(counters, arbitraries, {
    openWorld: healthy,
    runs: 50,
    without: ['rebuild', 'disk'],
  })
  const kinds = new Set(taken.map(({ kind }) => kind))
  expect(kinds).toContain('checkpoint')
  expect(kinds).not.toContain('rebuild')
  expect(kinds).not.toContain('disk')
})

test('it is silent unless it is given somebody to talk to', async () => {
  const lines: string[] = []
  const healthy = async (): Promise<World> => ({ ...forgetfulWorld([]), observe: async () => nothing })
  await checkConvergence(counters, arbitraries, {
    openWorld: healthy,
    runs: 200,
    seed: 1,
    log: (line) => lines.push(line),
  })
  expect(lines).toEqual([
    expect.stringMatching(/^counters: 100 stories/),
    expect.stringMatching(/^counters: 200 stories/),
    expect.stringMatching(/seed 1$/),
  ])
})

test('arbitraries for ops that the domain does not have, and none at all, are refused', async () => {
  const wrong = { Counted: arbitraries.Counted, Nope: arbitraries.Counted }
  await expect(checkConvergence(counters, wrong, { openWorld })).rejects.toThrow(/no op Nope/)
  await expect(checkConvergence(counters, {}, { openWorld })).rejects.toThrow(/at least one op/)
})

const nothing = { replicas: [], accepted: [], logged: [], logFault: null }

async function failureOf(options: {
  seed: number
  path?: string
  shrink?: boolean
}): Promise<ConvergenceError> {
  try {
    await checkConvergence(counters, arbitraries, { openWorld, ...options })
  } catch (error) {
    if (error instanceof ConvergenceError) return error
    throw error
  }
  throw new Error('a world that forgets everything was not found out')
}

/** Accepts everything and sends nothing. */
function forgetfulWorld(taken: Step[]): World {
  const accepted: AcceptedCommit[] = []
  const replica = {
    reads: [],
    entries: [],
    stored: [],
    conflicts: '[]',
    encoding: 'x',
    unruly: [],
    waiting: 0,
    outbox: [],
    lastError: null,
  }
  return {
    replicas: 2,
    take: async (step) => {
      taken.push(step)
      if (step.kind !== 'apply') return { kind: 'done', note: '' }
      const name = `0:${accepted.length + 1}`
      accepted.push({
        name,
        author: 0,
        before: [],
        sets: [],
        removes: [],
        saved: true,
        acked: false,
        fate: 'open',
      })
      return { kind: 'commit', name, crowded: [], again: 'unchanged' }
    },
    glance: async () => ({ replicas: [], head: 0, logged: [], acked: [] }),
    calm: async () => {},
    observe: async () => ({ ...nothing, replicas: [replica, replica], accepted }),
    newcomer: async () => null,
    close: async () => {},
  }
}
