import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.Type;

/** Writes those classes of the class library anew whose methods have to do what the component's edge offers. usage: Patch FOLDER */
public final class Patch {
    private static final int STATIC = Opcodes.ACC_PUBLIC | Opcodes.ACC_STATIC;

    private static final String REFLECT = "Lorg/teavm/classlib/java/lang/reflect/";

    private static final String BUNDLE = "Lorg/teavm/classlib/java/util/TResourceBundle;";

    private Patch() {
    }

    public static void main(String[] arguments) throws IOException {
        Path folder = Path.of(arguments[0]);
        patch(folder, "org/teavm/classlib/java/lang/TSystem",
            new Method(STATIC, "getenv", "(Ljava/lang/String;)Ljava/lang/String;", "virga/Environment", "get"),
            new Method(STATIC, "getenv", "()Ljava/util/Map;", "virga/Environment", "getAll"),
            new Method(STATIC, "exit", "(I)V", "virga/Native", "exit"));
        patch(folder, "org/teavm/classlib/java/lang/TRuntime",
            new Method(Opcodes.ACC_PUBLIC, "exit", "(I)V", "virga/Native", "exit"),
            new Method(Opcodes.ACC_PUBLIC, "halt", "(I)V", "virga/Native", "exit"),
            new Method(Opcodes.ACC_PUBLIC, "addShutdownHook", "(Ljava/lang/Thread;)V", "virga/Native", "ignore"));
        // The translator to C has no table of methods: reflection sees none, as with a class that hides them.
        patch(folder, "org/teavm/classlib/java/lang/TClass",
            new Method(Opcodes.ACC_PUBLIC, "getDeclaredMethods", "()[" + REFLECT + "TMethod;", null, null),
            new Method(Opcodes.ACC_PUBLIC, "getDeclaredConstructors", "()[" + REFLECT + "TConstructor;", null, null));
        patch(folder, "org/teavm/classlib/java/util/TResourceBundle",
            new Method(STATIC, "getBundle", "(Ljava/lang/String;)" + BUNDLE, "virga/Texts", "of"));
        patch(folder, "org/teavm/classlib/impl/console/Console",
            new Method(STATIC, "writeStdout", "([BII)V", "virga/Native", "writeStdout"),
            new Method(STATIC, "writeStderr", "([BII)V", "virga/Native", "writeStderr"));
    }

    /** A method whose body is a call of a static one with the same arguments, or without an owner an empty array. */
    private record Method(int access, String name, String descriptor, String owner, String target) {
        void write(ClassVisitor out) {
            MethodVisitor code = out.visitMethod(access, name, descriptor, null, null);
            code.visitCode();
            int at = (access & Opcodes.ACC_STATIC) == 0 ? 1 : 0;
            int begin = at;
            for (Type type : Type.getArgumentTypes(descriptor)) {
                code.visitVarInsn(type.getOpcode(Opcodes.ILOAD), at);
                at += type.getSize();
            }
            Type result = Type.getReturnType(descriptor);
            if (owner == null) {
                code.visitInsn(Opcodes.ICONST_0);
                code.visitTypeInsn(Opcodes.ANEWARRAY, result.getElementType().getInternalName());
            } else {
                code.visitMethodInsn(Opcodes.INVOKESTATIC, owner, target, descriptor, false);
            }
            code.visitInsn(result.getOpcode(Opcodes.IRETURN));
            code.visitMaxs(Math.max(at, 1), at + begin);
            code.visitEnd();
        }
    }

    private static void patch(Path folder, String name, Method... methods) throws IOException {
        try (InputStream in = Patch.class.getClassLoader().getResourceAsStream(name + ".class")) {
            ClassWriter out = new ClassWriter(0);
            Set<String> replaced = Set.copyOf(java.util.Arrays.stream(methods).map(one -> one.name + one.descriptor).toList());
            new ClassReader(in.readAllBytes()).accept(new ClassVisitor(Opcodes.ASM9, out) {
                @Override
                public MethodVisitor visitMethod(int access, String method, String descriptor, String signature, String[] thrown) {
                    return replaced.contains(method + descriptor) ? null : super.visitMethod(access, method, descriptor, signature, thrown);
                }

                @Override
                public void visitEnd() {
                    for (Method method : methods) {
                        method.write(cv);
                    }
                    super.visitEnd();
                }
            }, 0);
            Path file = folder.resolve(name + ".class");
            Files.createDirectories(file.getParent());
            Files.write(file, out.toByteArray());
        }
    }
}
