// A check is trusted only after something broken has made it fail: each of these bugs must be found, within 200 stories at most.
import { expect, test } from 'vitest'
import { todo } from '@rejoin/examples/todo'
import { playStory } from '@rejoin/testkit'
import { checkConvergence, ConvergenceError, openEngineWorld, type ConvergenceOptions } from 'rejoin/testing'
import { todoOps } from './arbitraries.ts'
import { channelMutants } from './mutants/channels.ts'
import { documentMutants } from './mutants/documents.ts'
import { domainMutants } from './mutants/domains.ts'
import type { Mutant } from './mutants/mutant.ts'
import { storeMutants } from './mutants/stores.ts'

const mutants = [...documentMutants, ...storeMutants, ...channelMutants, ...domainMutants]
const SEED = 1
const RUNS_MAX = 200

test.each(mutants.map((mutant) => [mutant.name, mutant] as const))('finds that %s', async (_, mutant) => {
  const found = await hunt(mutant, { shrink: false })
  if (process.env['REJOIN_MUTANTS'] !== undefined)
    console.log(`${mutant.name}: [${found.rules.join('] [')}] in story ${found.runs}`)
  const isExpected = found.rules.some((rule) => mutant.foundBy.includes(rule))
  expect(isExpected ? '' : found.message).toBe('')
})

test('a bug is told by a story of a few steps, which replays', async () => {
  const [mutant] = documentMutants.filter(({ name }) => name === 'a set leaves what it replaced')
  expect(mutant).toBeDefined()
  if (mutant === undefined) return
  const found = await hunt(mutant, {})
  const story = found.message.slice(found.message.indexOf('by:'))
  expect(story.split('\n')).toEqual([
    'by:',
    expect.stringMatching(/^ {2}1\. replica \d applies ListAdded .* -> commit \d:1$/),
    expect.stringMatching(/^ {2}2\. replica \d applies ListAdded .* -> commit \d:2$/),
  ])
  const again = await hunt(mutant, { seed: found.seed, path: found.path })
  expect(again.message.slice(again.message.indexOf('broken'))).toBe(
    found.message.slice(found.message.indexOf('broken')),
  )
})

test('what is wrong with a merge function is said once, with values that show it', async () => {
  const [mutant] = domainMutants.filter(({ name }) => name === 'a merge function takes the first value')
  expect(mutant).toBeDefined()
  if (mutant === undefined) return
  const { message } = await hunt(mutant, {})
  const lines = message.split('\n').filter((line) => line.includes('merge function'))
  expect(lines).toEqual([
    expect.stringMatching(
      /^ {2}\[1\] the merge function of labels depends on the order of its values: (\[.*\]), (\[.*\]) are \1, but \2, \1 are \2$/,
    ),
  ])
})

test('[24] a commit that the hub refuses unasked is told by name, op and code', async () => {
  const [mutant] = documentMutants.filter(({ name }) => name === 'a hub reads another value than was written')
  expect(mutant).toBeDefined()
  if (mutant === undefined) return
  const { message } = await hunt(mutant, {})
  expect(message).toMatch(
    /\n {2}\[24\] the hub refused commit 0:1 \(ListAdded \{"id":"a","title":"two"\}\) with ENTRY_UNEXPLAINED: /,
  )
})

test('[5] where marks are lost in a checkpoint, a resend is logged twice, and that is told', async () => {
  const [mutant] = storeMutants.filter(({ name }) => name === "a hub's checkpoint loses the high-water marks")
  const { findings } = await playStory(todo, await openEngineWorld(todo, 1, 0, mutant?.ports?.()), [
    { kind: 'apply', replica: 0, ops: [{ type: 'ListAdded', id: 'a', title: 'one' }] },
    // Hello, Welcome, CaughtUp, Push: the acknowledgement is not heard.
    { kind: 'exchange', replica: 0, cutAfter: 4, order: 0 },
    { kind: 'checkpoint' },
    { kind: 'restartHub' },
    { kind: 'exchange', replica: 0, cutAfter: null, order: 0 },
  ])
  expect(findings.map(({ rule }) => rule)).toContain(5)
})

/** @throws Error when the mutant survives. */
async function hunt(mutant: Mutant, options: ConvergenceOptions): Promise<ConvergenceError> {
  const { domain, ops } = mutant.domain ?? { domain: todo, ops: todoOps }
  const runs = mutant.runsMax ?? RUNS_MAX
  const ports = mutant.ports === undefined ? {} : { ports: mutant.ports }
  try {
    await checkConvergence(domain, ops, { runs, seed: SEED, log: () => {}, ...options, ...ports })
  } catch (error) {
    if (error instanceof ConvergenceError) return error
    throw error
  }
  throw new Error(`the bug that ${mutant.name} was not found in ${runs} stories`)
}
