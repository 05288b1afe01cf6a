// A worker of the build that does everything.

import { module } from './modules-full.js';
import { serve } from './serve.js';

serve(module);
