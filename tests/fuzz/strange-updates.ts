/**
 * Updates that are strange on purpose: an honest one is taken apart along its grammar, one to three parts of it are changed,
 * and it is written again. So most of them read well up to the one place that is wrong, which no damaged byte would reach.
 */
import type { Seeded } from '../support/seeded.ts'
import { anyBytes, numBytes, strangeNum, strangeValue, struck, textBytes, type Num } from './strange-bytes.ts'
import {
  HAS_ORIGIN,
  HAS_PARENT_SUB,
  HAS_RIGHT_ORIGIN,
  treeBytes,
  treeOf,
  type Id,
  type Section,
  type Struct,
  type UpdateTree,
} from './update-tree.ts'

/** What an update may name that exists: client ids and how many items they have. */
export type Known = ReadonlyMap<number, number>

/** One strange update of an honest one. */
export function strangeUpdate(random: Seeded, honest: Uint8Array, known: Known): Uint8Array {
  const tree = treeOf(honest)
  for (let times = random.pick([1, 1, 1, 2, 3]); times > 0; times--) change(random, tree, known)
  const bytes = treeBytes(tree)
  return random.chance(0.15) ? struck(random, bytes, honest) : bytes
}

function change(random: Seeded, tree: UpdateTree, known: Known): void {
  const section = tree.sections.length > 0 ? random.pick(tree.sections) : null
  const struct = section !== null && section.structs.length > 0 ? random.pick(section.structs) : null
  const drawn = random.unit()
  if (drawn < 0.12) changeSections(random, tree, known)
  else if (drawn < 0.3) changeDeletes(random, tree, known)
  else if (section === null || struct === null) tree.rest = [random.whole(0, 255)]
  else if (drawn < 0.42) changeSection(random, section, known)
  else if (drawn < 0.62) changeStruct(random, section, struct, known)
  else changeEntries(random, struct)
}

function changeSections(random: Seeded, tree: UpdateTree, known: Known): void {
  const { sections } = tree
  switch (random.whole(0, 6)) {
    case 0:
      tree.sectionCount = strangeNum(random, sections.length)
      break
    case 1:
      tree.deleteCount = strangeNum(random, tree.deletes.length)
      break
    case 2:
      tree.rest = Array.from({ length: random.whole(1, 20) }, () => random.whole(0, 255))
      break
    case 3:
      sections.reverse()
      break
    case 4:
      if (sections[0] !== undefined) sections.push(structuredClone(sections[0]))
      break
    case 5:
      sections.length = 0
      break
    default: {
      const [first] = sections
      if (first !== undefined) sections.push({ ...structuredClone(first), client: someClient(random, known) })
    }
  }
}

function changeSection(random: Seeded, section: Section, known: Known): void {
  const { structs } = section
  switch (random.whole(0, 7)) {
    case 6: {
      // Where another one of its own would go on, or somebody else's.
      const client = random.chance(0.6) ? someClient(random, known) : section.client
      const clock = (known.get(Number(client)) ?? 0) + random.pick([0, 0, 1, 5])
      continueAt(section, client, clock)
      break
    }
    case 7:
      continueAt(section, section.client, Number(section.clock) + random.whole(1, 5))
      break
    case 0:
      section.client = random.chance(0.6) ? someClient(random, known) : strangeNum(random, section.client)
      break
    case 1:
      section.clock = strangeNum(random, section.clock)
      break
    case 2:
      section.count = strangeNum(random, structs.length)
      break
    case 3:
      structs.push(structuredClone(random.pick(structs)))
      break
    case 4:
      structs.splice(random.whole(0, structs.length - 1), 1)
      break
    default:
      structs.splice(random.whole(0, structs.length), 0, strangeStruct(random))
  }
}

/** Behind the item before it, as a client goes on. */
function continueAt(section: Section, client: Num, clock: number): void {
  section.client = client
  section.clock = clock
  const [first] = section.structs
  if (first === undefined || clock === 0) return
  first.flags |= HAS_ORIGIN
  first.origin = { client, clock: clock - 1 }
}

function changeStruct(random: Seeded, section: Section, struct: Struct, known: Known): void {
  switch (random.whole(0, 7)) {
    case 0:
      struct.kind = random.pick([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 31])
      struct.content = numBytes(strangeNum(random, 1))
      break
    case 1:
      struct.flags ^= random.pick([HAS_ORIGIN, HAS_RIGHT_ORIGIN, HAS_PARENT_SUB])
      break
    case 2:
      struct.flags |= HAS_ORIGIN
      struct.origin = someId(random, known)
      break
    case 3:
      struct.flags |= HAS_RIGHT_ORIGIN
      struct.right = someId(random, known)
      break
    case 4:
      struct.flags &= ~(HAS_ORIGIN | HAS_RIGHT_ORIGIN)
      struct.origin = struct.right = null
      break
    case 5:
      struct.root = random.pick(['', 'other', '__proto__', 'entries2', 'x'.repeat(5_000)])
      break
    case 6:
      struct.flags |= HAS_ORIGIN
      struct.origin = { client: section.client, clock: strangeNum(random, section.clock) }
      break
    default:
      struct.count = strangeNum(random, struct.entries.length)
  }
}

function changeEntries(random: Seeded, struct: Struct): void {
  const { entries } = struct
  const at = random.whole(0, Math.max(0, entries.length - 1))
  const parts = entries[at]
  if (parts === undefined)
    return void entries.push([anyBytes('rows'), anyBytes('a'), anyBytes(true), anyBytes('x')])
  const part = random.whole(0, parts.length - 1)
  switch (random.whole(0, 8)) {
    case 0:
      parts.splice(part, 1)
      break
    case 1:
      parts.splice(part, 0, anyBytes(random.pick(['', 'a', '__proto__', 'a\0b', 'k'.repeat(1_100)])))
      break
    case 2:
      parts[part] = strangeValue(random)
      break
    case 3:
    case 4:
      parts[parts.length - 2] = strangeValue(random)
      break
    case 5:
      parts[0] = anyBytes(random.pick(['nope', '', '__proto__', 'items', 'settings', 'weights', 7]))
      break
    case 6:
      parts[parts.length - 1] = anyBytes(
        random.pick(['now', '', 'z'.repeat(14), '-'.repeat(14), '0'.repeat(14)]),
      )
      break
    case 7:
      entries.push(parts)
      break
    default:
      parts[part] = struckPart(random, parts[part] ?? [])
  }
}

function changeDeletes(random: Seeded, tree: UpdateTree, known: Known): void {
  const { deletes } = tree
  const of = deletes.length > 0 ? random.pick(deletes) : null
  const range = of === null ? null : random.pick(of.ranges)
  if (of === null || range === null || random.chance(0.3)) {
    const ranges = [{ clock: strangeNum(random, 0), length: strangeNum(random, 1) }]
    deletes.push({
      client: random.chance(0.7) ? someClient(random, known) : strangeNum(random, 5),
      count: null,
      ranges,
    })
    if (random.chance(0.7)) deletes.sort((a, b) => Number(b.client) - Number(a.client))
    return
  }
  switch (random.whole(0, 5)) {
    case 0:
      range.clock = strangeNum(random, range.clock)
      break
    case 1:
      range.length = strangeNum(random, range.length)
      break
    case 2:
      of.ranges.push({ ...range })
      break
    case 3:
      of.count = strangeNum(random, of.ranges.length)
      break
    case 4:
      of.client = someClient(random, known)
      break
    default:
      deletes.reverse()
  }
}

/** One that is none of entries. */
function strangeStruct(random: Seeded): Struct {
  const contents: readonly (readonly [kind: number, content: readonly number[]])[] = [
    [0, numBytes(strangeNum(random, 1))],
    [10, numBytes(strangeNum(random, 1))],
    [1, numBytes(strangeNum(random, 1))],
    [2, [1, ...textBytes('['.repeat(random.pick([1, 5_000])))]],
    [3, [1, 1]],
    [4, textBytes('text')],
    [5, textBytes('{}')],
    [6, [...textBytes('b'), ...textBytes('1')]],
    [7, [random.whole(0, 6)]],
    [9, [...textBytes('guid'), ...anyBytes({})]],
    [8, [1, ...strangeValue(random)]],
  ]
  const [kind, content] = random.pick(contents)
  return { flags: 0, kind, origin: null, right: null, root: 'entries', count: null, entries: [], content }
}

function someClient(random: Seeded, known: Known): number {
  return random.chance(0.7) && known.size > 0
    ? random.pick([...known.keys()])
    : random.pick([0, 1, 2, 500, 1_023, 4_242])
}

function someId(random: Seeded, known: Known): Id {
  const client = someClient(random, known)
  const items = known.get(client) ?? 1
  return {
    client,
    clock: random.chance(0.6) ? random.whole(0, Math.max(0, items - 1)) : strangeNum(random, items),
  }
}

function struckPart(random: Seeded, part: readonly number[]): readonly number[] {
  return [...struck(random, Uint8Array.from(part))]
}
