// A worker of the full build.

import { module } from './modules-full.js';
import { serve } from './serve.js';

serve(module);
