// What is in the repository works on any machine: the lock file names no registry, and no file names a folder of
// the machine it was written on.
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { filesUnder } from './workspace.ts'

const checkout = path.resolve(import.meta.dirname, '../..')

test('the lock file holds no address to download from', () => {
  const lock = JSON.parse(readFileSync(path.join(checkout, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { resolved?: string; link?: boolean }>
  }
  const entries = Object.entries(lock.packages)
  expect(entries.length).toBeGreaterThan(100)
  // A workspace's own entry is a link to its folder, which is no address.
  expect(entries.filter(([, { resolved, link }]) => resolved !== undefined && link !== true)).toEqual([])
  expect(entries.filter(([, { resolved }]) => resolved?.includes('://'))).toEqual([])
})

test('no file holds an absolute path of a machine', () => {
  const files = filesUnder(checkout, '').filter(
    (file) => statSync(path.join(checkout, file)).size < 4_000_000,
  )
  expect(files).toContain('package.json')
  const found = files.filter(
    (file) => machinePaths(readFileSync(path.join(checkout, file), 'utf8')).length > 0,
  )
  expect(found).toEqual([])
})

test.each([
  ['a home folder', ['see ', 'home', 'ada', 'rejoin'].join('/')],
  ['a Mac folder', ['"', 'Users', 'ada', 'rejoin"'].join('/')],
  ['a Windows folder', ['C:', 'Users', 'ada'].join('\\')],
  ['this checkout', `cd ${checkout}`],
])('the check sees %s', (_, text) => {
  expect(machinePaths(text)).toHaveLength(1)
})

function machinePaths(text: string): string[] {
  const homes = text.match(/(?<![\w.])\/(home|Users|root)\/\w+|\b[A-Z]:\\+Users\\/g) ?? []
  const checkouts = text.split(checkout).length > 1 ? [checkout] : []
  return homes.length > 0 ? homes : checkouts
}
