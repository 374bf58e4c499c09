// Reads a workspace folder: its source files, and the doors through which each package may be entered.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export interface Workspace {
  /** Every source file under packages/*\/src, relative to the root, with forward slashes. */
  sources: string[]
  /** The files behind `exports`, by package folder. */
  exported: Map<string, Set<string>>
  /** Every file that something outside of src starts: exports, imports, bin and worker files. */
  doors: Set<string>
}

interface Manifest {
  exports?: unknown
  imports?: unknown
  bin?: string | Record<string, string>
}

export function readWorkspace(root: string): Workspace {
  const workspace: Workspace = { sources: [], exported: new Map(), doors: new Set() }
  for (const name of readdirSync(path.join(root, 'packages'))) {
    const folder = `packages/${name}`
    const manifestFile = path.join(root, folder, 'package.json')
    if (!existsSync(manifestFile)) continue
    const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as Manifest
    const sources = filesUnder(root, `${folder}/src`).filter((file) => /\.[cm]?tsx?$/.test(file))
    const exported = new Set(sourcesNamedBy(manifest.exports, folder))

    workspace.sources.push(...sources)
    workspace.exported.set(folder, exported)
    for (const door of exported) workspace.doors.add(door)
    for (const door of sourcesNamedBy(manifest.imports, folder)) workspace.doors.add(door)
    for (const door of startedByBin(root, folder, manifest.bin)) workspace.doors.add(door)
    for (const source of sources) for (const door of startedAsUrl(root, source)) workspace.doors.add(door)
  }
  return workspace
}

/** All files below a folder of the root, in order, without installed, built or hidden folders. */
export function filesUnder(root: string, folder: string): string[] {
  const full = path.join(root, folder)
  if (!existsSync(full)) return []
  return readdirSync(full, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const file = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isFile()) return [file]
      return entry.isDirectory() && !skippedFolders.has(entry.name) ? filesUnder(root, file) : []
    })
}

const skippedFolders = new Set(['node_modules', 'dist', 'out', 'coverage', '.git', '.nx'])

function sourcesNamedBy(value: unknown, folder: string): string[] {
  if (typeof value === 'string') return value.startsWith('./src/') ? [`${folder}/${value.slice(2)}`] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap((inner) => sourcesNamedBy(inner, folder))
}

// A bin file is plain JavaScript outside of src; what it imports from dist is a door of src.
function startedByBin(root: string, folder: string, bin: Manifest['bin']): string[] {
  return Object.values(typeof bin === 'string' ? { bin } : (bin ?? {})).flatMap((file) => {
    const text = readFileSync(path.join(root, folder, file), 'utf8')
    return [
      ...text.matchAll(/import\(\s*'\.\.\/dist\/([^']+)\.js'\s*\)|from '\.\.\/dist\/([^']+)\.js'/g),
    ].map((match) => `${folder}/src/${match[1] ?? match[2]}.ts`)
  })
}

// Workers and child processes: new URL('./name.ts', import.meta.url), with .js for what runs from dist.
function startedAsUrl(root: string, source: string): string[] {
  const text = readFileSync(path.join(root, source), 'utf8')
  return [...text.matchAll(/new URL\(\s*['"`](\.[^'"`]+)\.[jt]s['"`]\s*,\s*import\.meta\.url/g)].map(
    (match) => path.posix.join(path.posix.dirname(source), `${match[1]}.ts`),
  )
}
