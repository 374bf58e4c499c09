/** `rejoin apply`: ops from a file or standard input, each line a commit of its own, each with its outcome. */
import type { Command } from 'commander'
import { intents } from '@rejoin/intents'
import { asSyncError, type AnyDomain, type AnyOp } from '@rejoin/core'
import type { Replica } from '@rejoin/replica'
import { usingReplica, withDomain, withReplica, type ReplicaOptions } from '../options.ts'
import { parseJson, readInput } from '../ops-input.ts'
import { openOutput, type Output, type Streams } from '../output.ts'
import { Refusal } from '../refusal.ts'

type Outcome =
  | { line: number; outcome: 'applied'; commit: string }
  | { line: number; outcome: 'unchanged' }
  | { line: number; outcome: 'refused'; code: string; message: string; path: string | null }

export function addApply(program: Command, streams: Streams): void {
  withDomain(withReplica(program.command('apply'), 'makes', 'print JSON, one document per line'))
    .argument(
      '[file]',
      'a JSON array of ops, or one op (or array of ops) per line; - or nothing reads standard input',
      '-',
    )
    .description("apply ops to the local replica; each line's outcome is printed")
    .addHelpText(
      'after',
      `
Example:
  echo '{"type":"PhraseAdded","intentId":"greet","phrase":"howdy","lang":"en"}' | \\
    rejoin apply --data ./laptop --namespace support

Every line is one commit; one that is an array of ops is one commit of them all. Where the whole input is one array,
every element of it is one commit: [[op, op]] is a single commit of both.

The intents domain has ${Object.keys(intents.ops).join(', ')};
their payloads are in the README of @rejoin/intents (packages/intents/README.md).`,
    )
    .action(async (file: string, options: ReplicaOptions) => {
      const output = openOutput(streams, options.json === true)
      if (file === '-' && process.stdin.isTTY) output.note('reading ops from the terminal; Ctrl-D ends them')
      const lines = readLines(await readInput(file))
      const outcomes = await usingReplica(options, { use: 'makes', output }, (replica) =>
        applyLines(replica, lines, output),
      )
      if (outcomes.some(({ outcome }) => outcome === 'refused'))
        throw new Refusal('not every line was applied')
    })
}

async function applyLines(
  replica: Replica<AnyDomain>,
  lines: readonly { line: number; json: string | null; value: unknown }[],
  output: Output,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  for (const { line, json, value } of lines) {
    const outcome = await applyLine(replica, line, json, value)
    outcomes.push(outcome)
    output.result(outcome, sentence(outcome))
  }
  return outcomes
}

async function applyLine(
  replica: Replica<AnyDomain>,
  line: number,
  json: string | null,
  value: unknown,
): Promise<Outcome> {
  try {
    const parsed: unknown = json === null ? value : parseJson(json)
    const ops = (Array.isArray(parsed) ? parsed : [parsed]) as AnyOp[]
    const receipt = replica.apply(ops as never)
    await receipt.saved
    if (receipt.kind === 'unchanged') return { line, outcome: 'unchanged' }
    return { line, outcome: 'applied', commit: `${receipt.id.replica}:${receipt.id.counter}` }
  } catch (error) {
    const { code, message, path } = asSyncError(error, 'OP_FAILED', 'the op could not be applied')
    return { line, outcome: 'refused', code, message, path }
  }
}

/** A document that is one JSON array is its elements; anything else is taken line by line. */
function readLines(input: string): readonly { line: number; json: string | null; value: unknown }[] {
  if (input.trimStart().startsWith('[')) {
    try {
      const array: unknown = JSON.parse(input)
      if (Array.isArray(array)) return array.map((value: unknown, i) => ({ line: i + 1, json: null, value }))
    } catch {
      // Not one array: perhaps arrays line by line, whose faults are told by line.
    }
  }
  return input
    .split('\n')
    .map((json, i) => ({ line: i + 1, json: json.trim(), value: null }))
    .filter(({ json }) => json !== '')
}

function sentence(outcome: Outcome): string {
  switch (outcome.outcome) {
    case 'applied':
      return `${outcome.line}: applied as ${outcome.commit}`
    case 'unchanged':
      return `${outcome.line}: changes nothing`
    case 'refused':
      return `${outcome.line}: refused, ${outcome.message} [${outcome.code}]`
  }
}
