// The README's samples are files under examples/, compiled with everything else and run here: a sample that rots is red.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { openAReplica } from './open-a-replica.ts'

const root = path.resolve(import.meta.dirname, '..')

test('every sample of the README is a file under examples, letter for letter', async () => {
  const readme = await readFile(path.join(root, 'README.md'), 'utf8')
  const samples = [...readme.matchAll(/```(?:ts|js)(?: file=(\S+))?\n([\s\S]*?)```/g)]
  expect(samples.length).toBeGreaterThan(2)
  for (const [, file, text] of samples) {
    expect(file, `a sample without a file:\n${text}`).toBeDefined()
    expect(await readFile(path.join(root, file ?? ''), 'utf8')).toBe(text)
  }
})

test("the README's sample opens a replica, writes to it and hears that the hub has it", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'rejoin-readme-'))
  try {
    expect(await openAReplica(folder)).toBe('Groceries')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('the first sample runs under plain node as the README says, offline first and then through a hub', async () => {
  const cwd = await mkdtemp(path.join(tmpdir(), 'rejoin-readme-'))
  try {
    const script = path.join(root, 'examples/groceries.mjs')
    const { stdout } = await promisify(execFile)(process.execPath, [script], { cwd })
    expect(stdout).toBe(
      "offline, commits that wait: 1\nonline, commits that wait: 0\nthe laptop reads { title: 'Groceries' }\n",
    )
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
})
