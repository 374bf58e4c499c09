/** What is printed when a story breaks a rule. */
import type { Finding } from './finding.ts'

/** Lines of findings of one failure: the first ones say it, and everything follows from them. */
const FINDINGS_MAX = 12

export function failureText(lines: readonly string[], findings: readonly Finding[]): string {
  const rules = findings.slice(0, FINDINGS_MAX).map(({ rule, what }) => `  [${rule}] ${what}`)
  const left = findings.length - rules.length
  return [
    'broken (numbers as in docs/SPEC.md):',
    ...rules,
    ...(left > 0 ? [`  and ${left} more`] : []),
    'by:',
    ...lines.map((line, i) => `  ${i + 1}. ${line}`),
  ].join('\n')
}
