/**
 * A power cut without hardware, as LevelDB's `fault_injection_test.cc` and LazyFS do it: `witness.c` notes what each sync made
 * durable; once the process was killed, every file is cut back to that. What lies beyond may have reached the disk too, so
 * a seed draws for each file how much of it did, whole, torn or as zeros.
 *
 * The disk that is simulated keeps its own order of renames and removals, and a sync of any file makes those before it
 * durable (ext4 and XFS in their default modes do): those after the last sync are undone from the end, as many as the
 * seed draws. A file that was never synced vanishes or keeps a part.
 */
import { link, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile, open } from 'node:fs/promises'
import path from 'node:path'
import type { Seeded } from '../../support/seeded.ts'

export interface CutReport {
  /** Files that were made shorter, or taken away. */
  readonly files: number
  readonly bytes: number
  /** Renames and removals undone, and bytes in place put back. */
  readonly undone: number
}

export class PowerCut {
  readonly #witness: string
  readonly #root: string
  readonly #kept: string

  /** @param root the folder whose power is cut. @param kept a folder beside it, for the ledger. */
  constructor(witness: string, root: string, kept: string) {
    this.#witness = witness
    this.#root = root
    this.#kept = kept
  }

  /** Takes all that is there as durable. @returns the environment of the process that is to be cut. */
  async arm(): Promise<Record<string, string>> {
    await rm(this.#kept, { recursive: true, force: true })
    await mkdir(this.#kept, { recursive: true })
    await mkdir(this.#root, { recursive: true })
    const lines: string[] = []
    for (const file of await filesIn(this.#root)) {
      const { ino, size } = await stat(file)
      lines.push(`covered\t${ino}\t${size}\n`)
    }
    await writeFile(path.join(this.#kept, 'ledger'), lines.join(''))
    return { LD_PRELOAD: this.#witness, CUT_ROOT: this.#root, CUT_KEPT: this.#kept }
  }

  /** To be called when the process is gone. */
  async cut(random: Seeded): Promise<CutReport> {
    const ledger = readLedger(await readFile(path.join(this.#kept, 'ledger'), 'utf8'))
    let undone = 0
    const undoable = random.whole(0, ledger.moves.length)
    for (const move of ledger.moves.slice(ledger.moves.length - undoable).reverse()) {
      await this.#undo(move)
      undone++
    }
    let [files, bytes] = [0, 0]
    for (const file of await filesIn(this.#root)) {
      const { ino, size } = await stat(file)
      // Newest first: the oldest bytes are what was durable.
      if (random.chance(0.5)) {
        for (const old of (ledger.overwritten.get(ino) ?? []).reverse()) {
          await putBack(file, old)
          undone++
        }
      }
      const covered = ledger.covered.get(ino) ?? null
      const lost = size - Math.min(size, covered ?? 0)
      if (covered === null && random.chance(0.5)) await rm(file)
      else if (lost > 0) await loseTail(file, size - lost, size, random)
      else continue
      files++
      bytes += lost
    }
    await rm(this.#kept, { recursive: true, force: true })
    return { files, bytes, undone }
  }

  async #undo(move: Move): Promise<void> {
    if (move.kind === 'renamed') await rename(move.to, move.from)
    const name = move.kind === 'renamed' ? move.to : move.path
    if (move.kept === null) return
    // What was made under this name since is later than its removal, and so is no more durable.
    await rm(name, { force: true })
    await mkdir(path.dirname(name), { recursive: true })
    await link(path.join(this.#kept, move.kept), name)
  }
}

type Move =
  | {
      readonly kind: 'renamed'
      readonly from: string
      readonly to: string
      /** Under which name the ledger's folder keeps what was replaced. */
      readonly kept: string | null
    }
  | { readonly kind: 'removed'; readonly path: string; readonly kept: string | null }

interface Overwritten {
  readonly offset: number
  readonly old: Uint8Array
}

interface Ledger {
  /** Durable bytes by inode. */
  readonly covered: ReadonlyMap<number, number>
  /** Since the file's last sync, by inode. */
  readonly overwritten: ReadonlyMap<number, Overwritten[]>
  /** Renames and removals since the last sync of anything. */
  readonly moves: readonly Move[]
}

function readLedger(text: string): Ledger {
  const covered = new Map<number, number>()
  const overwritten = new Map<number, Overwritten[]>()
  let moves: Move[] = []
  // A last line that was being written when the process died is none.
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    const [word, first = '', second = '', third = ''] = line.split('\t')
    switch (word) {
      case 'covered':
        covered.set(Number(first), Number(second))
        overwritten.delete(Number(first))
        moves = []
        break
      case 'overwritten': {
        const list = overwritten.get(Number(first)) ?? []
        list.push({ offset: Number(second), old: Buffer.from(third, 'hex') })
        overwritten.set(Number(first), list)
        break
      }
      case 'renamed':
        moves.push({ kind: 'renamed', from: first, to: second, kept: keptName(third) })
        break
      case 'removed':
        moves.push({ kind: 'removed', path: first, kept: keptName(second) })
        break
      case '':
        break
      default:
        throw new Error(`the ledger has a line that nobody writes: ${line}`)
    }
  }
  return { covered, overwritten, moves }
}

function keptName(name: string): string | null {
  return name.endsWith('-0') ? null : name
}

async function putBack(file: string, { offset, old }: Overwritten): Promise<void> {
  const handle = await open(file, 'r+')
  await handle.write(old, 0, old.length, offset)
  await handle.close()
}

async function loseTail(file: string, covered: number, size: number, random: Seeded): Promise<void> {
  const reached = random.whole(covered, size)
  switch (random.pick(['all', 'all', 'torn', 'zeros'])) {
    case 'all':
      return await truncate(file, covered)
    case 'torn':
      return await truncate(file, reached)
    case 'zeros':
      await truncate(file, covered)
      return await truncate(file, reached)
  }
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
}
