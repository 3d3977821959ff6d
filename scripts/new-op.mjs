/**
 * `npm run new-op my_op`: copies op_template/ to kernels/my_op/, and adds the op to kernels/registry.ts, cpu.ts, webgl.ts and
 * subjects.ts. The op's specs fail until you fill in the files. The script checks everything before it writes
 * anything.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';

const TEMPLATE = fileURLToPath(new URL('op_template/', import.meta.url));

/** File -> the changes for a new op. A change is a pattern that must match once, and its replacement. */
const ADDED = {
  'kernels/registry.ts': [
    [
      /(?=import type { FusedGradient)/g,
      "import { templateOpGradients } from './template_op/gradient.js';\n",
    ],
    [
      /(?=} as const satisfies)/g,
      "  templateOp: { kernels: ['TemplateOp', 'TemplateOpGrad'], gradients: templateOpGradients },\n",
    ],
  ],
  'kernels/cpu.ts': [
    [/(?=import type { KernelName)/g, "import * as templateOp from './template_op/cpu.js';\n"],
    [
      /(?<=sharedKernels = {[^}]*)(?=};)/g,
      '  TemplateOp: templateOp.templateOp,\n  TemplateOpGrad: templateOp.templateOpGrad,\n',
    ],
  ],
  'kernels/webgl.ts': [
    [/(?=import type { KernelTable)/g, "import * as templateOp from './template_op/webgl.js';\n"],
    [
      /(?<=kernels: {[^}]*)(?= {2}},)/g,
      '    TemplateOp: templateOp.templateOp,\n    TemplateOpGrad: templateOp.templateOpGrad,\n',
    ],
  ],
  'kernels/subjects.ts': [
    [
      /(?=import type { Subject } from)/g,
      "import { templateOpCases } from './template_op/cases.js';\n" +
        "import { templateOpSubjects } from './template_op/subjects.js';\n",
    ],
    [/,?\s*];\n}\n$/g, ',\n    ...templateOpCases.flatMap(templateOpSubjects),\n  ];\n}\n'],
  ],
};

function newOp(name) {
  const folder = `kernels/${name}`;
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name))
    throw new Error(`name is ${name}, but it must be in snake case, such as depthwise_conv2d.`);
  if (existsSync(folder)) throw new Error(`name is ${name}, but ${folder} exists already.`);
  const camel = name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
  const pascal = camel[0].toUpperCase() + camel.slice(1);
  const named = (text) =>
    text
      .replaceAll('../../kernels/', '../')
      .replaceAll('template_op', name)
      .replaceAll('templateOp', camel)
      .replaceAll('TemplateOp', pascal)
      .replaceAll(` as KernelName`, '')
      .replace("import type { KernelName } from '../registry.js';\n", '');

  const changed = Object.entries(ADDED).map(([file, replacements]) => {
    const text = replacements.reduce(
      (text, [pattern, replacement]) => {
        if ([...text.matchAll(pattern)].length !== 1)
          throw new Error(
            `${file} must match ${pattern} once. If the file has changed, change scripts/new-op.mjs, too.`,
          );
        return text.replace(pattern, () => named(replacement));
      },
      readFileSync(file, 'utf8'),
    );
    return [file, text];
  });
  const made = readdirSync(TEMPLATE).map((file) => [
    `${folder}/${file}`,
    named(readFileSync(TEMPLATE + file, 'utf8')),
  ]);

  mkdirSync(folder);
  for (const [file, text] of [...made, ...changed]) {
    writeFileSync(file, text);
    console.log(file);
  }
  console.log(`\nStart with ${folder}/definition.ts. Then: npm test -- --filter "${pascal}"`);
}

const program = new Command('npm run new-op --')
  .description('Makes the folder of a new op from the template, and registers the op.')
  .argument('<name>', 'name of the op, in snake case, such as depthwise_conv2d')
  .parse();
try {
  newOp(program.args[0]);
} catch (error) {
  program.error(error.message);
}
