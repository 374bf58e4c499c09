// Finds where a source file takes time or chance by itself instead of asking the Clock port for it.
// It reads the syntax tree, so comments and strings are free to talk about what the code may not do.
import { parseSync } from '@swc/core'

const functions = new Set(['setTimeout', 'setInterval'])
const globals = new Set(['globalThis', 'global', 'window', 'self'])
const methods = new Set(['Date.now', 'Math.random', 'performance.now'])
const modules = new Set(['timers', 'node:timers', 'timers/promises', 'node:timers/promises'])

/** What the text takes, in the order of the text: `setTimeout`, `Date.now`, `new Date()`, `node:timers`, … */
export function findTakenTime(text: string): string[] {
  const found: string[] = []
  visit(parseSync(text, { syntax: 'typescript', target: 'es2022' }), found)
  return found
}

type Node = Record<string, unknown> & { type?: string }

function visit(value: unknown, found: string[]): void {
  if (Array.isArray(value)) {
    for (const inner of value) visit(inner, found)
    return
  }
  if (typeof value !== 'object' || value === null) return
  const node = value as Node
  const taken = takes(node)
  if (taken !== undefined) found.push(taken)
  for (const [key, inner] of Object.entries(node)) if (!isOnlyAName(node, key)) visit(inner, found)
}

function takes(node: Node): string | undefined {
  switch (node.type) {
    case 'Identifier':
      return functions.has(node['value'] as string) ? (node['value'] as string) : undefined
    case 'MemberExpression': {
      const object = nameOf(node['object'])
      const property = propertyOf(node['property'])
      if (methods.has(`${object}.${property}`)) return `${object}.${property}`
      if (!globals.has(object)) return undefined
      return functions.has(property) ? property : undefined
    }
    case 'NewExpression': {
      const given = node['arguments'] as unknown[] | undefined
      return nameOf(node['callee']) === 'Date' && (given ?? []).length === 0 ? 'new Date()' : undefined
    }
    case 'CallExpression':
      return nameOf(node['callee']) === 'Date' ? 'Date()' : undefined
    case 'ImportDeclaration': {
      const module = (node['source'] as Node)['value'] as string
      return modules.has(module) ? module : undefined
    }
    default:
      return undefined
  }
}

// The name of a property, a key, a type or an imported binding is not a use of the global of that name.
function isOnlyAName(node: Node, key: string): boolean {
  if (key === 'property') return (node['property'] as Node).type === 'Identifier'
  if (key === 'key') return (node['key'] as Node).type === 'Identifier'
  return key === 'specifiers' || key === 'typeAnnotation' || key === 'typeParams' || key === 'typeArguments'
}

/** `Date` for both `Date` and `globalThis.Date`. */
function nameOf(value: unknown): string {
  const node = value as Node
  if (node.type === 'Identifier') return node['value'] as string
  if (node.type === 'MemberExpression' && globals.has(nameOf(node['object'])))
    return propertyOf(node['property'])
  return ''
}

function propertyOf(value: unknown): string {
  const node = value as Node
  if (node.type === 'Identifier') return node['value'] as string
  const inner = node.type === 'Computed' ? (node['expression'] as Node) : undefined
  return inner?.type === 'StringLiteral' ? (inner['value'] as string) : ''
}
