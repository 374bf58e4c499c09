// What a failure says, on worlds that are broken on purpose.
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { defineDomain, map } from '@rejoin/core'
import {
  checkConvergence,
  ConvergenceError,
  type AcceptedCommit,
  type Attempt,
  type ConvergenceOptions,
  type LocalOutcome,
  type Step,
  type World,
} from '@rejoin/testkit'

const counters = defineDomain({
  name: 'counters',
  version: 1,
  tables: { counters: map({ key: z.string().min(1), value: z.number() }) },
  ops: (op) => ({
    Counted: op(z.object({ id: z.string(), to: z.number() }), (t, o) => t.counters.set(o.id, o.to)),
    Reset: op(z.object({ id: z.string() }), (t, o) => t.counters.set(o.id, 0)),
  }),
})
const arbitraries = { Counted: fc.record({ id: fc.constantFrom('a', 'b'), to: fc.nat(3) }) }
const both = { ...arbitraries, Reset: fc.record({ id: fc.constantFrom('a', 'b') }) }
const openWorld = async (): Promise<World> => worldOf()

test('a failure tells the broken rule, the shortest story and the call that replays it', async () => {
  const error = await failureOf({ seed: 7 })
  expect(error).toMatchObject({ rules: [4], seed: 7 })
  expect(error.message).toMatch(/replay it with \{ seed: 7, path: "[\d:]+" \}/)
  expect(error.message).toContain('[4] commit 0:1 was accepted and is nowhere')
  expect(error.message).toMatch(/by:\n {2}1\. replica \d applies Counted \{"id":"\w","to":0\} -> commit 0:1$/)
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

test('what replays a failure is told before anything is made shorter', async () => {
  const heard: string[] = []
  let worlds = 0
  const error = await failureOf({
    seed: 7,
    openWorld: async () => {
      worlds++
      return worldOf()
    },
    log: (line) => heard.push(`${worlds} worlds: ${line}`),
  })
  const { runs, path } = error
  expect(heard.at(-1)).toBe(
    `${runs} worlds: counters: story ${runs} fails, replay it with { seed: 7, path: "${path}" }; looking for a shorter one`,
  )
  expect(worlds).toBeGreaterThan(runs)
})

test('without a log that one line, and nothing else, goes to standard error', async () => {
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
  try {
    await failureOf({ seed: 7, log: undefined })
    await failureOf({ seed: 7, log: undefined, shrink: false })
    expect(printed.mock.calls).toEqual([[expect.stringMatching(/^counters: story 1 fails, replay it with/)]])
  } finally {
    printed.mockRestore()
  }
})

test('[14] shortening ends after so many tries', async () => {
  const worldsOf = async (options: Partial<ConvergenceOptions>): Promise<number> => {
    let worlds = 0
    const counting = async (): Promise<World> => {
      worlds++
      return worldOf()
    }
    const { runs } = await failureOf({ seed: 7, openWorld: counting, ...options })
    return worlds - runs
  }
  expect(await worldsOf({ shrinkTriesMax: 5 })).toBe(5)
  expect(await worldsOf({ shrinkTriesMax: 0 })).toBe(0)
  expect(await worldsOf({})).toBeLessThanOrEqual(300)
})

test('a failure is a plain error whose stack begins where the check was called', async () => {
  const error = await failureOf({ seed: 7 })
  expect('cause' in error).toBe(false)
  expect(Object.keys(error)).toEqual(['name'])
  const [, frame] = error.stack?.split(/\n(?= {4}at )/) ?? []
  expect(frame).toContain('check-convergence.test.ts')
  expect(error.stack).not.toContain('src/convergence')
})

test('a world that fails is told with its reason', async () => {
  const openBroken = async (): Promise<World> => ({
    ...worldOf(),
    calm: () => Promise.reject(new Error('no calm')),
  })
  const error = await failureOf({ openWorld: openBroken })
  expect(error.rules).toEqual([])
  expect(error.message).toContain('and the world failed: Error: no calm')
  expect(error.cause).toEqual(new Error('no calm'))
})

test('kinds of steps that are left out are never taken', async () => {
  const taken: Step[] = []
  await checkConvergence(counters, arbitraries, {
    openWorld: async () => healthy({ taken }),
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
  await checkConvergence(counters, arbitraries, {
    openWorld: async () => healthy(),
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

describe('stories in which nothing happens', () => {
  const refusal = { code: 'PARENT_MISSING', path: 'to', message: 'there is no row' } as const
  const refused = (type: string): Attempt['outcome'] | null =>
    type === 'Reset' ? { kind: 'refused', refusal, leftTrace: false } : null

  test('fail where not one commit was made', async () => {
    const error = await failureOf({
      openWorld: async () => healthy({ outcomeOf: () => refused('Reset') }),
      seed: 1,
    })
    expect(error).toMatchObject({ rules: [], seed: 1, path: '', runs: 100 })
    expect(error.message).toMatch(
      /^domain counters: the check proves too little \(100 stories.*, seed 1\)\n {2}not one commit was made\n {2}Counted never became part of a commit in \d+ tries; at last it was refused with PARENT_MISSING at to: there is no row\n/,
    )
  })

  test('fail where an op became part of none, and tell its refusals', async () => {
    const lines: string[] = []
    const error = await failureOf(
      { openWorld: async () => healthy({ outcomeOf: refused }), log: (line) => lines.push(line) },
      both,
    )
    expect(error.message).toMatch(
      /\n {2}Reset never became part of a commit in \d+ tries; .*PARENT_MISSING at to/,
    )
    expect(error.message).not.toContain('Counted never')
    expect(lines.at(-1)).toMatch(/^counters: refused Reset PARENT_MISSING \d+ times$/)
  })

  test('fail where an op never has anything to change', async () => {
    const outcomeOf = (type: string): LocalOutcome | null => (type === 'Reset' ? { kind: 'unchanged' } : null)
    const error = await failureOf({ openWorld: async () => healthy({ outcomeOf }) }, both)
    expect(error.message).toMatch(
      /Reset never became part of a commit in \d+ tries: it never had anything to change/,
    )
  })

  test('say nothing where there were only a few steps, or one story is replayed', async () => {
    const openIdle = async (): Promise<World> => healthy({ outcomeOf: () => refused('Reset') })
    await checkConvergence(counters, arbitraries, { openWorld: openIdle, runs: 2, steps: 5 })
    await checkConvergence(counters, arbitraries, { openWorld: openIdle, steps: 500, seed: 1, path: '0' })
  })
})

test('arbitraries for ops that the domain does not have, and none at all, are refused', async () => {
  const wrong = { Counted: arbitraries.Counted, Nope: arbitraries.Counted }
  await expect(checkConvergence(counters, wrong, { openWorld })).rejects.toThrow(
    /no op "Nope"; there are Counted/,
  )
  await expect(checkConvergence(counters, {}, { openWorld })).rejects.toThrow(/at least one op/)
})

test.each<[object, RegExp]>([
  [{ steps: 0 }, /steps is a whole number from 1 up, got 0/],
  [{ runs: 0 }, /runs is a whole number from 1 up, got 0/],
  [{ runs: 1.5 }, /runs is a whole number from 1 up, got 1.5/],
  [{ replicas: 0 }, /replicas is a whole number from 2 up, got 0/],
  [{ replicas: 1 }, /replicas is a whole number from 2 up, got 1: one alone has nobody to converge with/],
  [{ shrinkTriesMax: -1 }, /shrinkTriesMax is a whole number from 0 up/],
  [{ seed: 0.5 }, /seed is a whole number/],
  [{ seed: 1, path: '1,2' }, /"1,2" is no path/],
  [{ path: '1' }, /path replays nothing without the seed/],
  [{ run: 5 }, /no option "run"; there are replicas, steps, runs, .*ports$/],
  [{ without: ['reboot'] }, /without names "reboot"; steps are apply, /],
  [{ without: ['apply'] }, /without apply there is nothing to check/],
])('options %j are refused before anything is tried', async (options, text) => {
  const refused = checkConvergence(counters, arbitraries, { openWorld, ...options })
  await expect(refused).rejects.toMatchObject({ code: 'INPUT_INVALID', message: expect.stringMatching(text) })
})

test('an option that is undefined is one that was not given', async () => {
  const openHealthy = async (): Promise<World> => healthy()
  const runs: Partial<ConvergenceOptions> = JSON.parse('{}') as object
  await checkConvergence(counters, arbitraries, { openWorld: openHealthy, ...runs })
})

async function failureOf(
  options: Omit<Partial<ConvergenceOptions>, 'log'> & { log?: ((line: string) => void) | undefined },
  ops: object = arbitraries,
): Promise<ConvergenceError> {
  const { log = 'log' in options ? undefined : () => {}, ...rest } = options
  try {
    await checkConvergence(counters, ops, { openWorld, ...rest, ...(log === undefined ? {} : { log }) })
  } catch (error) {
    if (error instanceof ConvergenceError) return error
    throw error
  }
  throw new Error('it passed')
}

interface Fake {
  readonly taken?: Step[]
  /** What comes of an op; null: a commit. */
  readonly outcomeOf?: (type: string) => LocalOutcome | null
}

/** Accepts everything and sends nothing. */
function worldOf({ taken = [], outcomeOf = () => null }: Fake = {}): World {
  const accepted: AcceptedCommit[] = []
  const replica = {
    reads: [],
    entries: [],
    stored: [],
    conflicts: '[]',
    encoding: 'x',
    waiting: 0,
    outbox: [],
    lastError: null,
  }
  return {
    replicas: 2,
    take: async (step) => {
      taken.push(step)
      if (step.kind !== 'apply') return { kind: 'done', note: '' }
      const type = step.ops.map((op) => op.type).find((each) => outcomeOf(each) !== null) ?? ''
      const outcome = outcomeOf(type)
      const attempt = { ops: step.ops, unexplained: null }
      if (outcome !== null) {
        const refusal = outcome.kind === 'refused' ? outcome.refusal : null
        return { kind: 'tried', attempts: [{ ...attempt, outcome }], misfits: [{ type, refusal }] }
      }
      const name = `0:${accepted.length + 1}`
      const effect = { before: [], sets: [], removes: [] }
      accepted.push({ name, author: 0, ...effect, saved: true, acked: false, fate: 'open' })
      const commit = { kind: 'commit', name, crowded: [], again: 'unchanged' } as const
      return { kind: 'tried', attempts: [{ ...attempt, outcome: commit }], misfits: [] }
    },
    glance: async () => ({ replicas: [], head: 0, logged: [], acked: [], refused: [] }),
    calm: async () => {},
    observe: async () => ({ replicas: [replica, replica], accepted, logged: [], logFault: null }),
    unruly: () => [],
    newcomer: async () => null,
    close: async () => {},
  }
}

/** Nothing of it is found wrong. */
function healthy(fake: Fake = {}): World {
  return {
    ...worldOf(fake),
    observe: async () => ({ replicas: [], accepted: [], logged: [], logFault: null }),
  }
}
