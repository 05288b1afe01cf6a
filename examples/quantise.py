#!/usr/bin/env python3
"""Quantises the matrices of a safetensors file in float32 as common checkpoints do.

    examples/quantise.py minilm-part.f32.safetensors FOLDER

Writes a safetensors file for each scheme. docs/LAYOUTS.md lists what they shrink to. Needs NumPy and
ml_dtypes.
"""
import numpy as np, json, struct, sys, os, ml_dtypes
out=sys.argv[2]; os.makedirs(out,exist_ok=True)
f=open(sys.argv[1],'rb').read()
n=struct.unpack('<Q',f[:8])[0]; h=json.loads(f[8:8+n]); h.pop('__metadata__',None)
mats={}
for k,v in h.items():
    if len(v['shape'])==2 and v['shape'][0]%64==0 and v['shape'][1]%128==0:
        a,b=v['data_offsets']; mats[k]=np.frombuffer(f[8+n+a:8+n+b],'f4').reshape(v['shape'])
def save(name,tensors):
    hd={};at=0;parts=[]
    for k,(dt,sh,by) in tensors.items():
        hd[k]={'dtype':dt,'shape':list(sh),'data_offsets':[at,at+len(by)]};at+=len(by);parts.append(by)
    j=json.dumps(hd,separators=(',',':')).encode();j+=b' '*(-len(j)%8)
    open(f'{out}/{name}.safetensors','wb').write(struct.pack('<Q',len(j))+j+b''.join(parts))
def T(a,dt): return (dt,a.shape,np.ascontiguousarray(a).tobytes())
def pack4(q): # low nibble first
    return (q[...,0::2]|(q[...,1::2]<<4)).astype('u1')
E2M1=np.array([0,.5,1,1.5,2,3,4,6],'f4')
def to_e2m1(x):
    m=np.abs(x); mid=(E2M1[1:]+E2M1[:-1])/2
    return (np.searchsorted(mid,m).astype('u1'))|((x<0).astype('u1')<<3)
def e4m3(x):
    return x.astype(ml_dtypes.float8_e4m3fn).view('u1')
t={}
for k,w in mats.items(): # gpt-oss: blocks [rows, groups, 16] U8, scales [rows, groups] U8
    g=w.reshape(w.shape[0],-1,32); mx=np.abs(g).max(-1)
    e=np.floor(np.log2(np.maximum(mx,1e-30)))-2
    q=to_e2m1(np.clip(g/np.exp2(e)[...,None],-6,6))
    t[k+'_blocks']=T(pack4(q),'U8'); t[k+'_scales']=T((e+127).astype('u1'),'U8')
save('mxfp4',t)
t={}
for k,w in mats.items(): # NVFP4: weight U8 [rows, cols/2], weight_scale F8_E4M3 [rows, cols/16], weight_scale_2 F32
    g=w.reshape(w.shape[0],-1,16); s2=np.abs(w).max()/(6*448); s=np.abs(g).max(-1)/6/s2
    s8=s.astype(ml_dtypes.float8_e4m3fn); sf=np.maximum(s8.astype('f4')*s2,1e-12)
    q=to_e2m1(np.clip(g/sf[...,None],-6,6)).reshape(w.shape)
    t[k]=T(pack4(q),'U8'); t[k+'_scale']=('F8_E4M3',s8.shape,s8.view('u1').tobytes()); t[k+'_scale_2']=T(np.array(s2,'f4'),'F32')
save('nvfp4',t)
def int4(w,group): # asymmetric, per group of inputs
    g=w.reshape(w.shape[0],-1,group); lo=np.minimum(g.min(-1),0); hi=np.maximum(g.max(-1),0)
    s=np.maximum((hi-lo)/15,1e-8).astype('f2').astype('f4'); z=np.clip(np.round(-lo/s),0,15)
    q=np.clip(np.round(g/s[...,None])+z[...,None],0,15).astype('u4').reshape(w.shape)
    return q,s,z.astype('u4')
def pack32(q,order=range(8)): # 8 nibbles along the last axis in an i32
    r=np.zeros(q.shape[:-1]+(q.shape[-1]//8,),'u4')
    for i,o in enumerate(order): r|=q[...,o::8].astype('u4')<<np.uint32(4*i)
    return r
for sym in (0,1):
    t={}
    for k,w in mats.items(): # GPTQ: qweight [in/8, out], qzeros [groups, out/8], scales [groups, out] f16, g_idx [in]
        if sym:
            g=w.reshape(w.shape[0],-1,128); s=np.maximum(np.abs(g).max(-1)/7,1e-8).astype('f2').astype('f4')
            q=np.clip(np.round(g/s[...,None])+8,0,15).astype('u4').reshape(w.shape); z=np.full(s.shape,8,'u4')
        else: q,s,z=int4(w,128)
        t[k+'.qweight']=T(pack32(q).T,'I32')
        t[k+'.qzeros']=T(pack32(((z.T-1)&15)),'I32')
        t[k+'.scales']=T(s.T.astype('f2'),'F16'); t[k+'.g_idx']=T((np.arange(w.shape[1])//128).astype('i4'),'I32')
    save('gptq'+('-sym' if sym else ''),t)
t={}
for k,w in mats.items(): # AWQ: qweight [in, out/8], order 0 2 4 6 1 3 5 7
    q,s,z=int4(w,128); o=[0,2,4,6,1,3,5,7]
    t[k+'.qweight']=T(pack32(q.T,o),'I32'); t[k+'.qzeros']=T(pack32(z.T,o),'I32'); t[k+'.scales']=T(s.T.astype('f2'),'F16')
save('awq',t)
NF4=np.array([-1.0,-0.6961928,-0.52507305,-0.39491749,-0.28444138,-0.18477343,-0.09105004,0.0,0.0795803,0.1609302,0.24611230,0.33791524,0.44070983,0.56261700,0.72295684,1.0],'f4')
t={}
for k,w in mats.items(): # bitsandbytes nf4: weight U8 [n/2, 1], absmax (double quantised) U8, nested_absmax F32, quant_map F32
    g=w.reshape(-1,64); a=np.maximum(np.abs(g).max(-1),1e-12); x=g/a[:,None]
    q=np.searchsorted((NF4[1:]+NF4[:-1])/2,x).astype('u1').reshape(-1)
    p=((q[0::2]<<4)|q[1::2]).reshape(-1,1)
    off=a.mean(); aa=(a-off); b=np.concatenate([aa,np.zeros((-len(aa))%256,'f4')]).reshape(-1,256); m=np.maximum(np.abs(b).max(-1),1e-12)
    u=np.round(b/m[:,None]*127+128).clip(0,255).astype('u1').reshape(-1)[:len(a)]
    t[k]=T(p,'U8'); t[k+'.absmax']=T(u,'U8'); t[k+'.nested_absmax']=T(m.astype('f4'),'F32'); t[k+'.quant_map']=T(NF4,'F32')
save('bnb-nf4',t)
t={}
for k,w in mats.items(): # bitsandbytes int8 / compressed-tensors w8: I8 + scale per row
    s=np.abs(w).max(-1,keepdims=True)/127; t[k]=T(np.round(w/s).astype('i1'),'I8'); t[k+'_scale']=T(s.astype('f4'),'F32')
save('int8-rows',t)
t={}
for k,w in mats.items(): # compressed-tensors pack-quantized w4a16: weight_packed I32 [out, in/8], weight_scale BF16 [out, groups]
    g=w.reshape(w.shape[0],-1,128); s=np.maximum(np.abs(g).max(-1)/7.5,1e-8); 
    q=np.clip(np.round(g/s[...,None]),-8,7).astype('i4')+8
    bf=(s.astype('f4').view('u4')>>16).astype('u2')
    t[k+'_packed']=T(pack32(q.astype('u4').reshape(w.shape)),'I32'); t[k+'_scale']=('BF16',bf.shape,bf.tobytes())
save('w4a16',t)
t={}
for k,w in mats.items(): # compressed-tensors / fp8: F8_E4M3 + scale BF16 per row
    s=np.abs(w).max(-1,keepdims=True)/448; t[k]=('F8_E4M3',w.shape,e4m3(w/s).tobytes()); bf=(s.astype('f4').view('u4')>>16).astype('u2'); t[k+'_scale']=('BF16',bf.shape,bf.tobytes())
save('fp8-rows',t)
t={}
for k,w in mats.items(): # FP8 blocks of 128 with scale_inv F32 (deepseek)
    r=(w.shape[0]//128)*128; v=w[:r]
    if r==0: continue
    g=v.reshape(r//128,128,-1,128); s=np.abs(g).max((1,3))/448; t[k]=('F8_E4M3',v.shape,e4m3((g/s[:,None,:,None])).tobytes()); t[k+'_scale_inv']=T(s.astype('f4'),'F32')
save('fp8-blocks',t)
t={}
for k,w in mats.items(): # MXFP8: F8_E4M3 + F8_E8M0 scale per 32
    g=w.reshape(w.shape[0],-1,32); e=np.floor(np.log2(np.maximum(np.abs(g).max(-1),1e-30)))-8
    t[k]=('F8_E4M3',w.shape,e4m3(np.clip(g/np.exp2(e)[...,None],-448,448)).tobytes()); t[k+'_scale']=('F8_E8M0',e.shape,(e+127).astype('u1').tobytes())
save('mxfp8',t)
t={}
for k,w in mats.items(): # F4 dtype + F8_E8M0
    g=w.reshape(w.shape[0],-1,32); e=np.floor(np.log2(np.maximum(np.abs(g).max(-1),1e-30)))-2
    q=to_e2m1(np.clip(g/np.exp2(e)[...,None],-6,6)).reshape(w.shape)
    t[k]=('F4',w.shape,pack4(q).tobytes()); t[k+'_scale']=('F8_E8M0',e.shape,(e+127).astype('u1').tobytes())
save('mxfp4-f4',t)
