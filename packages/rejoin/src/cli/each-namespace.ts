/** Doing something to one namespace of a folder after the other: one that fails keeps none of the others from it, and all is told. */
import { SyncError, type Namespace } from '@rejoin/core'
import { type Output } from './output.ts'
import { Refusal } from './refusal.ts'

export type NamespaceOutcome<R> =
  | { readonly namespace: Namespace; readonly result: R; readonly error: null }
  | { readonly namespace: Namespace; readonly result: null; readonly error: SyncError }

export async function forEachNamespace<R>(
  namespaces: readonly Namespace[],
  use: (namespace: Namespace) => Promise<R>,
): Promise<readonly NamespaceOutcome<R>[]> {
  const outcomes: NamespaceOutcome<R>[] = []
  for (const namespace of namespaces) {
    try {
      outcomes.push({ namespace, result: await use(namespace), error: null })
    } catch (error) {
      // One alone says it as every command does.
      if (!(error instanceof SyncError) || namespaces.length === 1) throw error
      outcomes.push({ namespace, result: null, error })
    }
  }
  return outcomes
}

/**
 * What was done goes to standard output, with `--json` also what was not.
 * @param done what the command did, e.g. `rebuilt`
 * @throws Refusal where something failed
 */
export function tellEachNamespace<R extends object>(
  output: Output,
  outcomes: readonly NamespaceOutcome<R>[],
  done: string,
  sentence: (namespace: Namespace, result: R) => string,
): void {
  const documents: object[] = []
  const sentences: string[] = []
  const failures: string[] = []
  for (const { namespace, result, error } of outcomes) {
    if (error === null) {
      documents.push({ namespace, ...result })
      sentences.push(sentence(namespace, result))
    } else {
      const { code, message, path } = error
      documents.push({ namespace, error: { code, message, path } })
      failures.push(`${namespace} was not ${done}: ${message} [${code}]`)
    }
  }
  output.result(documents, sentences.length === 0 ? `nothing was ${done}` : sentences.join('\n'))
  for (const failure of failures) output.warning(failure)
  if (failures.length > 0) throw new Refusal(`not every namespace was ${done}`)
}
