// Checks the shape of a workspace: which package may import which, no cycles, no dead files, entry by the door only,
// and time and chance asked for rather than taken. There is no comment that excuses a fault.
// It takes any root folder, so that arrows.test.ts can prove on small trees that each rule fails.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { findTakenTime } from './taken-time.ts'
import { readWorkspace, type Workspace } from './workspace.ts'

export interface Fault {
  rule: string
  from: string
  to: string
}

export interface Report {
  /** Modules under packages/*\/src that the import graph holds. */
  modulesSeen: number
  /** Source files under packages/*\/src on disk. */
  filesOnDisk: number
  faults: Fault[]
}

export async function checkArrows(root: string): Promise<Report> {
  const workspace = readWorkspace(root)
  const graph = await readGraph(
    root,
    [...workspace.exported.keys()].map((folder) => `${folder}/src`),
  )
  const modules = graph.modules.filter((module) => packageOf(module.source) !== undefined)
  return {
    modulesSeen: modules.length,
    filesOnDisk: workspace.sources.length,
    faults: [
      ...graph.summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to })),
      ...unreached(workspace, modules),
      ...insides(workspace, modules),
      ...takenTime(root, workspace),
      ...unseenExports(root, workspace),
    ],
  }
}

interface Module {
  source: string
  dependencies: { module: string; resolved: string }[]
}

interface Graph {
  modules: Module[]
  summary: { violations: { rule: { name: string }; from: string; to: string }[] }
}

const checkout = path.resolve(import.meta.dirname, '../..')

async function readGraph(root: string, folders: string[]): Promise<Graph> {
  const bin = path.join(checkout, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const rules = path.join(checkout, 'layers.cjs')
  const args = [bin, '--config', rules, '--output-type', 'json', ...folders]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: root,
    maxBuffer: 256 * 1024 ** 2,
  })
  return JSON.parse(stdout) as Graph
}

/** A file that no door leads to runs for nobody. */
function unreached(workspace: Workspace, modules: Module[]): Fault[] {
  const dependencies = new Map(modules.map((module) => [module.source, module.dependencies]))
  const reached = new Set<string>()
  const waiting = [...workspace.doors]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue
    reached.add(file)
    waiting.push(...(dependencies.get(file) ?? []).map((dependency) => dependency.resolved))
  }
  return workspace.sources
    .filter((file) => !reached.has(file) && !file.endsWith('.d.ts'))
    .map((file) => ({ rule: 'unreached', from: packageOf(file) ?? '', to: file }))
}

/** Another package is entered by its name and through a file that its package.json exports. */
function insides(workspace: Workspace, modules: Module[]): Fault[] {
  return modules.flatMap((module) =>
    module.dependencies
      .filter(({ module: specifier, resolved }) => {
        const other = packageOf(resolved)
        if (other === undefined || other === packageOf(module.source)) return false
        return specifier.startsWith('.') || !workspace.exported.get(other)?.has(resolved)
      })
      .map(({ resolved }) => ({ rule: 'insides', from: module.source, to: resolved })),
  )
}

/** Only the wiring, and the transport's files that hold real sockets, may take time by themselves. */
function takenTime(root: string, workspace: Workspace): Fault[] {
  return workspace.sources
    .filter((file) => !/^packages\/(rejoin\/|transport\/src\/(server|websocket))/.test(file))
    .flatMap((file) =>
      findTakenTime(readFileSync(path.join(root, file), 'utf8')).map((to) => ({
        rule: 'taken-time',
        from: file,
        to,
      })),
    )
}

/** The graph does not follow `export type { X } from`, so an arrow could hide there; `export { type X } from` is seen. */
function unseenExports(root: string, workspace: Workspace): Fault[] {
  return workspace.sources.flatMap((file) =>
    [
      ...readFileSync(path.join(root, file), 'utf8').matchAll(
        /^export type\s*(?:\{[^}]*\}|\*)\s*from\s*(\S+)/gm,
      ),
    ].map(([, to]) => ({ rule: 'unseen-export', from: file, to: to ?? '' })),
  )
}

function packageOf(file: string): string | undefined {
  return /^(packages\/[^/]+)\/src\//.exec(file)?.[1]
}
