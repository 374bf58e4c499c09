// The arrows of the design: core imports zod alone; every other package knows core and nothing else of ours;
// packages/rejoin wires them all. tests/architecture/arrows.test.ts runs these rules and proves that each can fail.
module.exports = {
  forbidden: [
    { name: 'cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'core-imports-zod-alone',
      severity: 'error',
      from: { path: '^packages/core/src/' },
      to: { pathNot: ['^packages/core/src/', '(^|/)node_modules/zod/', '^packages/[^/]+/src/', '^zod$'] },
    },
    {
      name: 'no-arrow-between-packages',
      severity: 'error',
      from: { path: '^packages/([^/]+)/src/', pathNot: '^packages/rejoin/' },
      to: { path: '^packages/', pathNot: '^packages/($1|core)/' },
    },
    { name: 'unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@rejoin/source', 'import', 'node', 'default', 'types'],
    },
  },
}
