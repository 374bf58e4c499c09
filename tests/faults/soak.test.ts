// The command line of `npm run soak`.
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { checkout } from '../support/command.ts'

const soak = ['--conditions=@rejoin/source', '--import', 'tsx', 'tests/faults/soak.ts']

test.each([
  ['--help', 0, 'stdout'],
  ['--nope', 2, 'stderr'],
  ['--clients=none', 2, 'stderr'],
] as const)('soak %s ends with %d and shows the usage', (option, code, where) => {
  const done = spawnSync(process.execPath, [...soak, option], { cwd: checkout, encoding: 'utf8' })
  expect(done.status).toBe(code)
  expect(done[where]).toMatch(/^usage: npm run soak -- \[--minutes 10\]/m)
  expect(done[where]).toMatch(/-- --clients 200 \[--minutes 10\]/)
})
