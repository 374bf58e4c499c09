// The star of the design, checked on the real packages; then each rule broken on purpose in a small tree of its own,
// so that a checker that reads nothing or forgives everything is noticed.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { checkArrows, type Report } from './arrows.ts'

const checkout = path.resolve(import.meta.dirname, '../..')

describe('the workspace', () => {
  test('keeps every arrow, has no cycle and no dead file, and takes no time by itself', async () => {
    const report = await checkArrows(checkout)
    expect(report.faults).toEqual([])
    expect(report.filesOnDisk).toBeGreaterThanOrEqual(9)
    // dependency-cruiser exits well when it understands no file at all: the count is the proof that it read.
    expect(report.modulesSeen).toBeGreaterThanOrEqual(report.filesOnDisk)
  })
})

describe('the checker', () => {
  test('finds no fault in a tree that keeps the rules', async () => {
    const report = await check({})
    expect(report.faults).toEqual([])
    expect(report).toMatchObject({ filesOnDisk: 6, modulesSeen: 6 })
  })

  test('refuses a core that imports a library other than zod', async () => {
    await expectFault(
      { 'core/src/index.ts': `import 'yjs'` },
      'core-imports-zod-alone',
      'packages/core/src/index.ts',
    )
  })

  test('refuses a core that imports a Node module', async () => {
    const files = { 'core/src/index.ts': `import 'node:fs'` }
    await expectFault(files, 'core-imports-zod-alone', 'packages/core/src/index.ts')
  })

  test('refuses a core that imports another package', async () => {
    const files = { 'core/src/index.ts': `import '@rejoin/hub'`, 'hub/src/index.ts': `export {}` }
    await expectFault(files, 'no-arrow-between-packages', 'packages/core/src/index.ts')
  })

  test('refuses an arrow between two packages beside core', async () => {
    const files = { 'hub/src/index.ts': `import '@rejoin/replica'` }
    await expectFault(files, 'no-arrow-between-packages', 'packages/hub/src/index.ts')
  })

  test('refuses an arrow that carries types only', async () => {
    const files = { 'hub/src/index.ts': `import type { replica } from '@rejoin/replica'` }
    await expectFault(files, 'no-arrow-between-packages', 'packages/hub/src/index.ts')
  })

  test('refuses a re-export of types, in which an arrow could hide', async () => {
    const files = { 'hub/src/index.ts': `export type { Replica } from '@rejoin/replica'` }
    await expectFault(files, 'unseen-export', 'packages/hub/src/index.ts')
  })

  test('refuses an arrow from a package back to the front door', async () => {
    const files = { 'hub/src/index.ts': `import 'rejoin'` }
    await expectFault(files, 'no-arrow-between-packages', 'packages/hub/src/index.ts')
  })

  test('refuses two files that import each other', async () => {
    const files = { 'hub/src/index.ts': `import './room.ts'`, 'hub/src/room.ts': `import './index.ts'` }
    await expectFault(files, 'cycle', 'packages/hub/src/index.ts')
  })

  test('refuses an import that leads nowhere', async () => {
    await expectFault(
      { 'hub/src/index.ts': `import './missing.ts'` },
      'unresolved',
      'packages/hub/src/index.ts',
    )
  })

  test('refuses a source file that no door reaches', async () => {
    const report = await check({ 'hub/src/forgotten.ts': 'export {}' })
    expect(report.faults).toEqual([
      { rule: 'unreached', from: 'packages/hub', to: 'packages/hub/src/forgotten.ts' },
    ])
  })

  test('counts a worker that is started by its URL as reached', async () => {
    const report = await check({
      'hub/src/index.ts': `export const worker = new URL('./worker.js', import.meta.url)`,
      'hub/src/worker.ts': 'export {}',
    })
    expect(report.faults).toEqual([])
  })

  test("refuses a path into another package's source", async () => {
    const files = { 'rejoin/src/index.ts': `import '../../hub/src/index.ts'` }
    await expectFault(files, 'insides', 'packages/rejoin/src/index.ts')
  })

  test('refuses a file of another package that is not one of its doors', async () => {
    const files = {
      'hub/src/index.ts': `import './room.ts'`,
      'hub/src/room.ts': 'export {}',
      'rejoin/src/index.ts': `import '../node_modules/@rejoin/hub/src/room.ts'`,
    }
    await expectFault(files, 'insides', 'packages/rejoin/src/index.ts')
  })

  test.each([
    'Date.now()',
    'globalThis.Date.now()',
    'Math.random()',
    "Math['random']()",
    'setTimeout(() => {}, 1)',
    'globalThis.setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setTimeout',
    'new Date()',
    'new Date',
    'performance.now()',
  ])('refuses a package that takes %s by itself', async (code) => {
    await expectFault(
      { 'hub/src/index.ts': `export const taken = ${code}` },
      'taken-time',
      'packages/hub/src/index.ts',
    )
  })

  test('refuses a package that imports the timers of Node', async () => {
    const files = {
      'hub/src/index.ts': `import { setTimeout as sleep } from 'node:timers/promises'\nsleep(1)`,
    }
    await expectFault(files, 'taken-time', 'packages/hub/src/index.ts')
  })

  test('accepts no comment as an excuse', async () => {
    const files = {
      'hub/src/index.ts': `// @rejoin allow\n// oxlint-disable-next-line\nexport const at = Date.now() // @rejoin-ignore`,
    }
    await expectFault(files, 'taken-time', 'packages/hub/src/index.ts')
  })

  test('lets comments, strings, types and given dates speak of time', async () => {
    const report = await check({
      'hub/src/index.ts': [
        '// never calls Date.now()',
        `export const note = 'setTimeout(…) and Math.random() are asked for'`,
        'export const day = new Date(0)',
        'export interface Clock { setTimeout(ms: number): void; now(): number }',
        'export type Timer = ReturnType<typeof setTimeout>',
        'export const wait = (clock: Clock) => clock.setTimeout(clock.now())',
      ].join('\n'),
    })
    expect(report.faults).toEqual([])
  })

  test('lets the front door and the files that hold real sockets take time', async () => {
    const report = await check({
      'rejoin/src/index.ts': 'export const at = Date.now()',
      'transport/src/index.ts': `import '#websocket'`,
      'transport/src/server.ts': 'export const at = Date.now()',
      'transport/src/websocket-node.ts': 'setTimeout(() => {}, 1)',
    })
    expect(report.faults).toEqual([])
    expect(report).toMatchObject({ filesOnDisk: 9, modulesSeen: 9 })
  })
})

const trees: string[] = []
afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true })
})

async function expectFault(files: Record<string, string>, rule: string, from: string): Promise<void> {
  const { faults } = await check(files)
  expect(faults).toContainEqual(expect.objectContaining({ rule, from }))
}

/** Checks a small workspace that keeps every rule, with the given files written over it. */
function check(files: Record<string, string>): Promise<Report> {
  const root = mkdtempSync(path.join(tmpdir(), 'rejoin-arrows-'))
  trees.push(root)
  const given = Object.keys(files).some((file) => file.startsWith('transport/'))
    ? { ...good, ...transport }
    : good
  for (const [file, text] of Object.entries({ ...given, ...files })) write(root, `packages/${file}`, text)
  for (const library of ['zod', 'yjs']) {
    write(root, `node_modules/${library}/package.json`, JSON.stringify({ name: library, main: 'index.js' }))
    write(root, `node_modules/${library}/index.js`, '')
  }
  mkdirSync(path.join(root, 'node_modules/@rejoin'))
  mkdirSync(path.join(root, 'packages/rejoin/node_modules'))
  for (const name of ['core', 'hub', 'replica']) link(root, name, `node_modules/@rejoin/${name}`)
  link(root, 'rejoin', 'node_modules/rejoin')
  symlinkSync(
    path.join(root, 'node_modules/@rejoin'),
    path.join(root, 'packages/rejoin/node_modules/@rejoin'),
  )
  return checkArrows(root)
}

const manifest = (name: string, more = {}) =>
  JSON.stringify({ name, type: 'module', exports: { '.': { '@rejoin/source': './src/index.ts' } }, ...more })

const good: Record<string, string> = {
  'core/package.json': manifest('@rejoin/core'),
  'core/src/index.ts': `import 'zod'\nimport './words.ts'`,
  'core/src/words.ts': `export const words = 1`,
  'hub/package.json': manifest('@rejoin/hub'),
  'hub/src/index.ts': `import '@rejoin/core'\nimport 'node:fs'\nimport 'yjs'`,
  'replica/package.json': manifest('@rejoin/replica'),
  'replica/src/index.ts': `import '@rejoin/core'\nexport const replica = 1`,
  'rejoin/package.json': manifest('rejoin', { bin: { rejoin: './bin/rejoin.js' } }),
  'rejoin/bin/rejoin.js': `await import('../dist/main.js')`,
  'rejoin/src/index.ts': `import '@rejoin/core'\nimport '@rejoin/hub'\nimport '@rejoin/replica'`,
  'rejoin/src/main.ts': `import './index.ts'`,
}

const transport: Record<string, string> = {
  'transport/package.json': manifest('@rejoin/transport', {
    exports: {
      '.': { '@rejoin/source': './src/index.ts' },
      './server': { '@rejoin/source': './src/server.ts' },
    },
    imports: { '#websocket': { default: { '@rejoin/source': './src/websocket-node.ts' } } },
  }),
}

function write(root: string, file: string, text: string): void {
  const full = path.join(root, file)
  mkdirSync(path.dirname(full), { recursive: true })
  writeFileSync(full, text)
}

function link(root: string, name: string, at: string): void {
  symlinkSync(path.join(root, 'packages', name), path.join(root, at))
}
