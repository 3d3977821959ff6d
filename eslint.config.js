import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'build', 'report.html', 'kernels/runtime/simd/assembly'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: { btoa: 'readonly', process: 'readonly', console: 'readonly', URL: 'readonly' },
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'fit', message: 'A focused spec hides all the others.' },
        { name: 'fdescribe', message: 'A focused suite hides all the others.' },
      ],
    },
  },
);
