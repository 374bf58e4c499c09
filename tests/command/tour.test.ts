import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { checkout, rejoin, withFolder } from '../support/command.ts'

const bin = path.join(checkout, 'packages/rejoin/bin/rejoin.js')

interface Step {
  step: string
  exchanges: { replica: string; report: { path: string; why: string; bytesUp: number; bytesDown: number } }[]
}

test('the tour takes every path, and ends in agreement with exit code 0', async () => {
  const { code, stdout, stderr } = await rejoin(['tour', '--json'])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  const lines = stdout.trim().split('\n')
  const result = JSON.parse(lines.at(-1) ?? '') as { agree: boolean; digests: Record<string, string> }
  expect(result.agree).toBe(true)
  expect(Object.keys(result.digests)).toEqual(['hub', 'desk', 'van', 'tablet'])
  const steps = lines.slice(0, -1).map((line) => JSON.parse(line) as Step)
  const paths = steps.flatMap(({ exchanges }) => exchanges.map(({ report }) => report.path))
  expect(new Set(paths)).toEqual(new Set(['unknown', 'tail', 'live', 'snapshot', 'rebuild', 'reset']))
})

test('the tour tells a person what each exchange cost and why it took its path', async () => {
  const { stdout } = await rejoin(['tour'])
  expect(stdout).toMatch(/path snapshot: cursor \d+ is older than the log/)
  expect(stdout).toMatch(/path live: nothing was missed since \d+; \d+ B up, \d+ B down/)
  expect(stdout).toContain("All replicas and the hub's log agree")
  expect(stdout).toContain('; the namespace is new; ')
  expect(stdout).toContain('the desk goes on in it, live all the while')
  expect(stdout).toMatch(/211 phrases before, 210 after/)
})

/** Starts the tour in a folder for temporary files of its own, and hears its first step. */
async function touring(temporary: string) {
  const env = { ...process.env, TMPDIR: temporary, TMP: temporary, TEMP: temporary }
  const child = spawn(process.execPath, [bin, 'tour', '--json'], { env })
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  expect(await readdir(temporary)).toHaveLength(1)
  return { child, ended }
}

test('a reader who has had enough ends the tour without a word, and its folder is gone', async () => {
  await withFolder(async (temporary) => {
    const { child, ended } = await touring(temporary)
    child.stdout.destroy()
    expect(await text(child.stderr)).toBe('')
    expect(await ended).toEqual([0, null])
    expect(await readdir(temporary)).toEqual([])
  })
})

test.each([
  ['Ctrl-C', ['SIGINT']],
  // Two of one kind may arrive as one.
  ['Ctrl-C and then `kill`', ['SIGINT', 'SIGTERM']],
  ['a terminal that is closed', ['SIGHUP']],
] as const)('%s ends the tour with exit code 1, and its folder is gone', async (_, signals) => {
  await withFolder(async (temporary) => {
    const { child, ended } = await touring(temporary)
    child.stdout.resume()
    for (const signal of signals) child.kill(signal)
    expect(await ended).toEqual([1, null])
    expect(await readdir(temporary)).toEqual([])
  })
})

test('the tour that ends by itself leaves no folder', async () => {
  await withFolder(async (temporary) => {
    const { child, ended } = await touring(temporary)
    child.stdout.resume()
    expect(await ended).toEqual([0, null])
    expect(await readdir(temporary)).toEqual([])
  })
})
