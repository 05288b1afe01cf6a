// A worker of the build that only decompresses.

import { module } from './modules-decode.js';
import { serve } from './serve.js';

serve(module);
