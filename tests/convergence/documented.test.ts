// docs/testing-your-domain.md: its samples are files under examples/, letter for letter, and they run: one of them by itself
// under vitest, the other in a plain node that knows only what is built.
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeAll, expect, test } from 'vitest'
import { setup as build } from '../support/build.ts'
import { checkout } from '../support/command.ts'

const examples = path.join(checkout, 'examples')

beforeAll(build)

test('every sample of the page is a file under examples, letter for letter', async () => {
  const page = await readFile(path.join(checkout, 'docs/testing-your-domain.md'), 'utf8')
  const samples = [...page.matchAll(/```(?:ts|js) file=(\S+)\n([\s\S]*?)```/g)]
  expect(samples.map(([, file]) => file)).toEqual([
    'examples/todo-converges.test.ts',
    'examples/counters-converge.mjs',
    'examples/todo-in-a-world.test.ts',
  ])
  for (const [, file, sample] of samples) {
    expect(await readFile(path.join(checkout, file ?? ''), 'utf8')).toBe(sample)
    expect(sample?.split('\n').length).toBeLessThan(30)
  }
})

test('the check runs under plain node', async () => {
  const { code, stdout, stderr } = await node('counters-converge.mjs')
  expect(stderr).toBe('')
  expect(stdout).toMatch(
    /^counters: 50 stories, \d+ steps, \d+ commits logged, in \d+ of them values met, seed -?\d+\n$/,
  )
  expect(code).toBe(0)
})

test('[15] under plain node a failure ends the process with the rule, the story and what replays it', async () => {
  const script = (options: string): string => `
    import { z } from 'zod'
    import { defineDomain, map } from 'rejoin'
    import { checkConvergence, fc } from 'rejoin/testing'
    const domain = defineDomain({
      name: 'clicks',
      version: 1,
      tables: { clicks: map({ key: z.string(), value: z.number() }) },
      ops: (op) => ({
        Clicked: op(z.object({ id: z.string() }), (t, o) => t.clicks.set(o.id, (t.clicks.get(o.id) ?? 0) + 1)),
      }),
    })
    await checkConvergence(domain, { Clicked: fc.record({ id: fc.constant('a') }) }, ${options})`
  const first = await node('--input-type=module', '--eval', script('{ seed: 3 }'))
  expect(first.code).toBe(1)
  // Right after the first failure, before anything is made shorter.
  expect(first.stderr).toMatch(
    /^clicks: story 1 fails, replay it with \{ seed: 3, path: "0" \}; looking for a shorter one\n/,
  )
  expect(first.stderr).toContain(
    '  [24] a hub would refuse Clicked {"id":"a"}: ops: a writer sets clicks ["a"] = 2',
  )
  expect(first.stderr).toContain('  1. replica 0 applies Clicked {"id":"a"} -> commit 0:1\n')
  // A clean error: no source of the library, no stack of it, no fields that the message has told.
  expect(first.stderr).not.toContain('cause')
  expect(first.stderr).not.toMatch(/rules:|convergence\/|throw /)
  const replay = /replay it with (\{.*\})/.exec(first.stderr)?.[1]
  expect(replay).toBeDefined()
  const again = await node('--input-type=module', '--eval', script(replay ?? ''))
  const story = (stderr: string): string => stderr.slice(stderr.indexOf('broken'), stderr.indexOf('    at '))
  expect(story(again.stderr)).toBe(story(first.stderr))
})

async function node(
  ...args: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [...args], { cwd: examples, env: { PATH: process.env['PATH'] } })
  const exit = new Promise<number | null>((resolve) => child.on('exit', resolve))
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit])
  return { code, stdout, stderr }
}
