// Tests that the types of the package compile in all usual kinds of projects with all checks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Returns the errors of the compiler. */
function faults(file, lib, moduleResolution) {
  const module = moduleResolution === 'bundler' ? 'esnext' : moduleResolution;
  const options = {
    module, moduleResolution, lib, target: 'es2022', types: [], strict: true, noEmit: true, skipLibCheck: false,
  };
  const { options: compilerOptions } = ts.convertCompilerOptionsFromJson(options, here('.'));
  const program = ts.createProgram([here(file)], compilerOptions);
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) =>
    `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
}

for (const [file, lib] of [
  ['types.ts', ['es2022', 'dom']],
  ['types.ts', ['es2022', 'webworker']],
  ['types-without-dom.ts', ['es2022']],
]) {
  for (const resolution of ['node16', 'bundler']) {
    test(`${file} with ${lib.join(' and ')}, ${resolution}`, () => {
      assert.deepEqual(faults(file, lib, resolution), []);
    });
  }
}

for (const name of ['index', 'decode', 'extended', 'gpu']) {
  test(`${name}.d.ts declares what ${name}.js exports`, async () => {
    const path = here(`../js/${name}.d.ts`);
    const program = ts.createProgram([path], { lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'], types: [] });
    const checker = program.getTypeChecker();
    const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(path)));
    const target = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
    const declared = exported.filter((symbol) => target(symbol).flags & ts.SymbolFlags.Value);
    const names = declared.map((symbol) => symbol.getName()).sort();
    assert.deepEqual(names, Object.keys(await import(`../js/${name}.js`)).sort());
  });
}
