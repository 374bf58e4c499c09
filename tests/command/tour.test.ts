import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { rejoin } from '../support/command.ts'

interface Step {
  step: string
  exchanges: { replica: string; report: { path: string; why: string; bytesUp: number; bytesDown: number } }[]
}

test('the tour takes every path, ends in agreement with exit code 0, and leaves nothing behind', async () => {
  const before = await toursLeft()
  const { code, stdout, stderr } = await rejoin(['tour', '--json'])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  const lines = stdout.trim().split('\n')
  const result = JSON.parse(lines.at(-1) ?? '') as { agree: boolean; digests: Record<string, string> }
  expect(result.agree).toBe(true)
  expect(Object.keys(result.digests)).toEqual(['hub', 'desk', 'van', 'tablet'])
  const steps = lines.slice(0, -1).map((line) => JSON.parse(line) as Step)
  const paths = steps.flatMap(({ exchanges }) => exchanges.map(({ report }) => report.path))
  expect(new Set(paths)).toEqual(new Set(['unknown', 'tail', 'live', 'snapshot']))
  expect(await toursLeft()).toEqual(before)
})

test('the tour tells a person what each exchange cost and why it took its path', async () => {
  const { stdout } = await rejoin(['tour'])
  expect(stdout).toMatch(/path snapshot: cursor \d+ is older than the log/)
  expect(stdout).toMatch(/path live: nothing was missed since \d+; \d+ B up, \d+ B down/)
  expect(stdout).toContain("All replicas and the hub's log agree")
})

async function toursLeft(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith('rejoin-tour-'))
}
