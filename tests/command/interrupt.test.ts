// Ctrl-C ends every command in order: one line, exit code 1, what was saved is kept.
import { spawn } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import {
  checkout,
  rejoin,
  rejoinJson,
  samplePack,
  startRejoin,
  withFolder,
  withHub,
} from '../support/command.ts'

const bin = path.join(checkout, 'packages/rejoin/bin/rejoin.js')
const support = (data: string): string[] => ['--data', data, '--namespace', 'support']

test('an exchange with a hub that never answers ends on Ctrl-C, and the commits it had are still there', async () => {
  await withFolder(async (folder) => {
    const laptop = path.join(folder, 'laptop')
    await rejoinJson(['import', ...support(laptop), samplePack])
    const silent = createServer()
    const dialled = new Promise<void>((resolve) => silent.once('connection', () => resolve()))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    // A server that listens on a port has an address of this form.
    const { port } = silent.address() as AddressInfo
    const child = spawn(process.execPath, [
      bin,
      'sync',
      ...support(laptop),
      '--hub',
      `http://127.0.0.1:${port}`,
    ])
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)))
    const [, stderr] = await Promise.all([dialled.then(() => child.kill('SIGINT')), text(child.stderr)])
    expect(await ended).toBe(1)
    expect(stderr.trim().split('\n')).toEqual([expect.stringContaining('[INTERRUPTED]')])
    silent.close()
    expect(await rejoinJson(['status', ...support(laptop)])).toMatchObject({ pending: 1 })
  })
})

test('ops from standard input end on Ctrl-C', async () => {
  await withFolder(async (folder) => {
    const child = spawn(process.execPath, [bin, 'apply', ...support(path.join(folder, 'laptop'))])
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)))
    child.stdin.on('error', () => {})
    // The pipe's first bytes are taken only by a command that is listening.
    await new Promise<void>((resolve) => child.stdin.write('x'.repeat(1_000_000), () => resolve()))
    child.kill('SIGINT')
    expect(await text(child.stderr)).toContain('[INTERRUPTED]')
    expect(await ended).toBe(1)
  })
})

test('what runs until it is stopped ends with exit code 0', async () => {
  await withFolder((folder) =>
    withHub(path.join(folder, 'hub'), async (url) => {
      const live = await startRejoin(['sync', ...support(path.join(folder, 'phone')), '--hub', url, '--live'])
      expect(await live.stop('SIGINT')).toBe(0)
      expect((await rejoin(['status', ...support(path.join(folder, 'phone'))])).code).toBe(0)
    }),
  )
})
